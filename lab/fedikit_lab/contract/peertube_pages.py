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
const reach = async (path, options = {}) => {
  const headers = {...(token ? {Authorization: 'Bearer ' + token} : {}), ...options.headers}
  const answer = await fetch(path, {...options, headers})
  if (answer.ok || answer.status === 308) return answer
  const told = await answer.json().catch(() => ({}))
  throw new Error(told.detail || answer.statusText)
}
const ask = async (path, options = {}) => {
  const text = await (await reach(path, options)).text()
  return text ? JSON.parse(text) : {}
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
const PIECE = 256 * 1024
me.then((user) => { if (!user) location.href = '/login' })
const begin = async (file) => {
  const form = new FormData()
  const fields = {name: find('#name').value, privacy: 3, waitTranscoding: true, filename: file.name,
    channelId: (await me).videoChannels[0].id}
  for (const [name, value] of Object.entries(fields)) form.append(name, value)
  const told = {'X-Upload-Content-Length': file.size, 'X-Upload-Content-Type': file.type || 'application/octet-stream'}
  const begun = await reach('/api/v1/videos/upload-resumable', {method: 'POST', body: form, headers: told})
  return begun.headers.get('Location')
}
const upload = async (file) => {
  const url = await begin(file)
  for (let start = 0; start < file.size; start += PIECE) {
    const end = Math.min(start + PIECE, file.size)
    const place = `bytes ${start}-${end - 1}/${file.size}`
    const headers = {'Content-Type': 'application/octet-stream', 'Content-Range': place}
    const answer = await reach(url, {method: 'PUT', body: file.slice(start, end), headers})
    find('.upload-progress').textContent = Math.round(100 * end / file.size) + ' %'
    if (answer.status === 200) return (await answer.json()).video
  }
}
find('#videofile').addEventListener('change', async (event) => {
  const file = event.target.files[0]
  find('.upload-video-container').hidden = true
  find('.video-edit').hidden = false
  find('#name').value = file.name.replace(/\\.[^.]+$/, '')
  try {
    video = await upload(file)
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
<style>.vjs-big-play-button { display: block; margin: 3rem auto }
.vjs-has-started .vjs-big-play-button { display: none }</style>
<main><div id="video-wrapper"></div><div class="video-info"><div class="video-info-first-row">
<h1 class="video-info-name"></h1><div class="account-page-link"></div></div></div></main>
<script>
const lines = async (url) => (await (await fetch(url)).text()).split('\\n')
const named = (list) => list.find((line) => line && !line.startsWith('#'))
// A playlist names ranges of a file; what they hold together is played. The player loads nothing before.
const load = async (master) => {
  const playlist = new URL(named(await lines(master)), master).href
  const pieces = []
  let range = null
  for (const line of await lines(playlist)) {
    const found = line.match(/^#EXT-X-BYTERANGE:(\\d+)@(\\d+)/)
    if (found) range = `bytes=${found[2]}-${Number(found[1]) + Number(found[2]) - 1}`
    if (!line || line.startsWith('#')) continue
    pieces.push(await (await fetch(new URL(line, playlist), {headers: {Range: range}})).blob())
  }
  return URL.createObjectURL(new Blob(pieces, {type: 'video/mp4'}))
}
const start = async (player, video) => {
  player.className = 'video-js vjs-has-started vjs-playing'
  const [playlist] = video.streamingPlaylists
  const film = player.querySelector('video')
  film.src = playlist ? await load(playlist.playlistUrl) : video.files[0].fileUrl
  await film.play()
}
const show = async () => {
  const video = await ask('/api/v1/videos/' + location.pathname.split('/')[2])
  document.title = find('.video-info-name').textContent = video.name
  find('.account-page-link').textContent = video.account.displayName
  if (video.state.id !== 1) {
    find('#video-wrapper').textContent = video.state.id === 2
      ? 'The video is being transcoded, it may not work properly.'
      : 'The video is being moved to an external server.'
    return
  }
  const player = make('div', {className: 'video-js vjs-paused'})
  player.append(make('video', {muted: true, preload: 'none'}))
  const button = make('button', {className: 'vjs-big-play-button', type: 'button', title: 'Play Video'})
  button.textContent = '▶'
  button.addEventListener('click', () => start(player, video).catch(warn))
  player.append(button)
  find('#video-wrapper').replaceChildren(player)
}
show().catch(warn)
</script>"""
_BODIES = {"Home": _HOME, "Login": _LOGIN, "Publish": _PUBLISH, "Watch": _WATCH}


def draw(which: str, instance: str, short_description: str) -> str:
    """One of the pages Home, Login, Publish and Watch; search engines and link previews show the short description."""
    body = _HEADER % escape(instance) + _BODIES[which]
    described = f'<meta name="description" content="{escape(short_description)}">'
    return page(f"{which} - {instance}", body, stands_for="PeerTube", head=described, accent=_ACCENT)
