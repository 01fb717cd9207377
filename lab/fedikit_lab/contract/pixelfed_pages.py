"""The pages of Pixelfed's stand-in, with upstream's ids, names and classes where a visitor's browser meets them."""

from collections.abc import Sequence
from html import escape
from typing import Any

from .shared import page

_ACCENT = "#10509f"
_HEADER = """\
<header><nav class="navbar">{links}</nav></header>"""
_LOGIN = """\
<main><div class="card-header"><h4>Account Login</h4></div>
<form method="POST" action="/login"><input type="hidden" name="_token" value="{token}">
<label for="email">E-Mail Address</label>
<input id="email" type="email" class="form-control{invalid}" name="email" placeholder="Email" required autofocus>{error}
<label for="password">Password</label>
<input id="password" type="password" class="form-control" name="password" placeholder="Password" required>
<label><input type="checkbox" name="remember"> Remember Me</label>
<button type="submit" class="btn btn-primary btn-block">Login</button></form></main>"""
_REGISTER = """\
<main><div class="card-header"><h4>Register a new account</h4></div>
<form method="POST" action="/register"><input type="hidden" name="_token" value="{token}">{error}
<label>Name <input type="text" name="name"></label>
<label>Username <input type="text" name="username" required></label>
<label>E-Mail Address <input type="email" name="email" required></label>
<label>Password <input type="password" name="password" required></label>
<button type="submit" class="btn btn-primary btn-block">Register</button></form></main>"""
_COMPOSE = """\
<main class="compose-modal-component"><section class="timeline"><div class="card status-card">
<div class="card-header"><span class="font-weight-bold">New Post</span></div>
<div class="page-1"><p>Share up to {most} photos or videos</p>
<input type="file" id="pf-dz" name="media" class="w-100 h-100 d-none file-input" multiple
 accept="{kinds}">
</div>
<div class="page-3" hidden><img width="42" alt="">
<label class="small">Caption</label>
<textarea class="form-control border-0 rounded-0 no-focus" rows="3" placeholder="Write a caption..."></textarea>
<p><a class="font-weight-bold text-decoration-none" href="#">Post</a></p></div>
<p class="invalid-feedback" hidden></p></div></section></main>
<script>
const find = (selector) => document.querySelector(selector)
const headers = {'X-CSRF-TOKEN': find('meta[name=csrf-token]').content, 'Accept': 'application/json'}
const media = []
const ask = async (path, options) => {
  const answer = await fetch(path, {method: 'POST', ...options})
  const told = await answer.json()
  if (answer.ok) return told
  find('.invalid-feedback').hidden = false
  find('.invalid-feedback').textContent = told.message
  throw new Error(told.message)
}
find('#pf-dz').addEventListener('change', async (event) => {
  for (const file of event.target.files) {
    const form = new FormData()
    form.append('file', file)
    media.push(await ask('/api/compose/v0/media/upload', {body: form, headers}))
  }
  find('.page-3 img').src = media[0].url
  find('.page-1').hidden = true
  find('.page-3').hidden = false
})
find('.page-3 a').addEventListener('click', async (event) => {
  event.preventDefault()
  const body = JSON.stringify({media, caption: find('.page-3 textarea').value, visibility: 'public'})
  const url = await ask('/api/compose/v0/publish', {body, headers: {...headers, 'Content-Type': 'application/json'}})
  location.href = '/i/web/post/' + url.split('/').slice(-1)[0]
})
</script>"""
_POST = """\
<article class="timeline-status-component"><div class="card shadow-sm">
<div class="card-header"><a class="username" href="/{username}"><b>{name}</b> @{username}</a></div>
<div class="timeline-status-component-content"><div class="postPresenterContainer">
<a href="/i/web/post/{id}"><img class="card-img-top" src="{picture}" alt=""></a></div>
<div class="card-body status-text"><p>{caption}</p></div></div></div></article>"""


def login_page(token: str, *, error: str = "") -> str:
    """The form at /login, with what was wrong."""
    form = _LOGIN.format(token=token, error=_complaint(error), invalid=" is-invalid" if error else "")
    return _draw("Login", form, token=token)


def register_page(token: str, *, error: str = "") -> str:
    """The form at /register, with what was wrong."""
    return _draw("Register", _REGISTER.format(token=token, error=_complaint(error)), token=token)


def home_page(posts: Sequence[dict[str, Any]], token: str, name: str) -> str:
    """The timeline of somebody who logged in."""
    shown = "".join(map(_post, posts)) or "<section><p>Your feed is empty.</p></section>"
    body = f'<main id="content"><div class="web-wrapper"><h1>Welcome back, {escape(name)}</h1>{shown}</div></main>'
    return _draw("Pixelfed", body, token=token, user=name)


def compose_page(token: str, name: str, kinds: str, most: str) -> str:
    """Where pictures of those kinds are chosen, captioned and posted, so many at most."""
    form = _COMPOSE.replace("{kinds}", escape(kinds)).replace("{most}", escape(most))
    return _draw("New Post", form, token=token, user=name)


def post_page(post: dict[str, Any], token: str = "", user: str = "") -> str:
    """One post."""
    return _draw(f"{post['username']} on Pixelfed", f'<main id="content">{_post(post)}</main>', token=token, user=user)


def profile_page(profile: dict[str, Any], posts: Sequence[dict[str, Any]]) -> str:
    """What everybody sees of a user."""
    head = f"<section><h1>{escape(profile['name'] or '')}</h1><p>@{escape(profile['username'])}</p></section>"
    return _draw(profile["username"], f"<main>{head}{''.join(map(_post, posts))}</main>")


def note_page(title: str, text: str) -> str:
    """A page that says one thing."""
    body = f"<main><section><h1>{escape(title)}</h1><p>{escape(text)}</p></section></main>"
    return _draw(title, body)


def _complaint(error: str) -> str:
    return f'<span class="invalid-feedback"><strong>{escape(error)}</strong></span>' if error else ""


def _post(post: dict[str, Any]) -> str:
    return _POST.format(**{name: escape(str(value or "")) for name, value in post.items()})


def _draw(title: str, body: str, *, token: str = "", user: str = "") -> str:
    outside = '<a href="/login">Login</a>'
    inside = (
        f'<a href="/i/web">Home</a> <a href="/i/web/compose">Create New Post</a> <span>{escape(user)}</span>'
        f'<form method="POST" action="/logout"><input type="hidden" name="_token" value="{token}">'
        "<button>Logout</button></form>"
    )
    head = f'<meta name="csrf-token" content="{token}">' if token else ""
    header = _HEADER.format(links=inside if user else outside)
    return page(title, header + body, stands_for="Pixelfed", head=head, accent=_ACCENT)
