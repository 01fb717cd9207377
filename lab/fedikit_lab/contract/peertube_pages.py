"""The pages of PeerTube's stand-in: small scripts over the REST API, with upstream's ids and classes.

As upstream's they keep the tokens of who logged in in the browser's local storage, and set no cookie.
"""

from html import escape

from .shared import page

_ACCENT = "#c9540a"
_HEADER = """\
<header><a href="/"><b>%s</b></a> <span class="publish-button"><a href="/videos/publish">Publish</a></span>
<span class="logged-in-container"></span> <my-login-link hidden><a href="/login">Login</a></my-login-link></header>
<script>
const find = (selector) => document.querySelector(selector)
const make = (name, properties) => Object.assign(document.createElement(name), properties)
const token = localStorage.getItem('access_token')
const ask = async (path, options = {}) => {
  const headers = {...(token ? {Authorization: 'Bearer ' + token} : {}), ...options.headers}
  const answer = await fetch(path, {...options, headers})
  const text = await answer.text()
  const told = text ? JSON.parse(text) : {}
  if (!answer.ok) throw new Error(told.detail || answer.statusText)
  return told
}
const change = (method, path, value) =>
  ask(path, {method, body: JSON.stringify(value), headers: {'Content-Type': 'application/json'}})
const warn = (error) => document.querySelector('main').prepend(
  make('div', {className: 'alert alert-danger', textContent: error.message}))
const me = token ? ask('/api/v1/users/me').catch(() => { localStorage.clear(); return null }) : Promise.resolve(null)
me.then((user) => {
  find('my-login-link').hidden = Boolean(user)
  if (!user) return
  const info = make('span', {className: 'logged-in-info'})
  info.append(make('span', {className: 'display-name', textContent: user.account.displayName}))
  find('.logged-in-container').append(info)
})
</script>"""
_HOME = """\
<main><h1>Recently added</h1><div class="videos"></div></main>
<script>
ask('/api/v1/videos').then(({data}) => {
  if (!data.length) find('.videos').append(make('section', {textContent: 'No results.'}))
  for (const video of data) {
    const card = make('article', {className: 'video-miniature'})
    card.append(make('a', {className: 'video-miniature-name', href: '/w/' + video.shortUUID, textContent: video.name}))
    card.append(make('div', {textContent: video.account.displayName}))
    find('.videos').append(card)
  }
}, warn)
</script>"""
_LOGIN = """\
<main><h1>Login</h1><div class="login-form-and-externals"><form role="form">
<label for="username">Username or email address</label>
<input type="text" id="username" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input type="password" id="password" autocomplete="current-password" required>
<input type="submit" class="peertube-button primary-button" value="Login"></form></div></main>
<script>
find('form').addEventListener('submit', async (event) => {
  event.preventDefault()
  document.querySelectorAll('.alert-danger').forEach((old) => old.remove())
  try {
    const client = await ask('/api/v1/oauth-clients/local')
    const body = new URLSearchParams({...client, grant_type: 'password', response_type: 'code', scope: 'upload',
      username: find('#username').value, password: find('#password').value})
    const told = await ask('/api/v1/users/token', {method: 'POST', body})
    for (const name of ['access_token', 'refresh_token', 'token_type']) localStorage.setItem(name, told[name])
    location.href = '/'
  } catch (error) { warn(error) }
})
</script>"""
_PUBLISH = """\
<main><h1>Publish a video</h1><section class="upload-video-container"><div class="button-file">
<label for="videofile">Select the file to upload</label>
<input type="file" id="videofile" accept="video/*,.mp4,.webm,.ogv,.mkv,.mov"></div></section>
<form class="video-edit" hidden><label for="name">Title</label><input type="text" id="name">
<p class="upload-progress">Uploading…</p>
<div class="watch-save"><div class="save-button"><button type="submit" disabled>Publish</button></div>
<my-button icon="external-link" hidden><a target="_blank">Watch</a></my-button></div></form></main>
<script>
let video = null
me.then((user) => { if (!user) location.href = '/login' })
find('#videofile').addEventListener('change', async (event) => {
  const file = event.target.files[0]
  find('.upload-video-container').hidden = true
  find('.video-edit').hidden = false
  find('#name').value = file.name.replace(/\\.[^.]+$/, '')
  const form = new FormData()
  form.append('name', find('#name').value)
  form.append('privacy', '3')
  form.append('channelId', (await me).videoChannels[0].id)
  form.append('videofile', file)
  try {
    video = (await ask('/api/v1/videos/upload', {method: 'POST', body: form})).video
    find('.upload-progress').textContent = 'Upload complete'
    find('.save-button button').disabled = false
  } catch (error) { warn(error) }
})
find('.video-edit').addEventListener('submit', async (event) => {
  event.preventDefault()
  try {
    await change('PUT', '/api/v1/videos/' + video.uuid, {name: find('#name').value, privacy: 1})
    find('.save-button button').disabled = true
    find('.watch-save a').href = '/w/' + video.shortUUID
    find('.watch-save my-button').hidden = false
  } catch (error) { warn(error) }
})
find('#name').addEventListener('input', () => { if (video) find('.save-button button').disabled = false })
</script>"""
_WATCH = """\
<main><div id="video-wrapper"></div><div class="video-info"><div class="video-info-first-row">
<h1 class="video-info-name"></h1><div class="account-page-link"></div></div></div></main>
<script>
const show = async () => {
  const video = await ask('/api/v1/videos/' + location.pathname.split('/')[2])
  document.title = find('.video-info-name').textContent = video.name
  find('.account-page-link').textContent = video.account.displayName
  if (video.state.id !== 1) {
    find('#video-wrapper').textContent = 'The video is being moved to an external server…'
    return setTimeout(() => show().catch(warn), 1000)
  }
  const player = make('div', {className: 'video-js vjs-paused'})
  player.append(make('video', {controls: true, muted: true, src: video.files[0].fileUrl}))
  find('#video-wrapper').replaceChildren(player)
}
show().catch(warn)
</script>"""
_BODIES = {"Home": _HOME, "Login": _LOGIN, "Publish": _PUBLISH, "Watch": _WATCH}


def draw(which: str, instance: str) -> str:
    """One of the pages Home, Login, Publish and Watch."""
    body = _HEADER % escape(instance) + _BODIES[which]
    return page(f"{which} - {instance}", body, stands_for="PeerTube", accent=_ACCENT)
