"""The pages of the contract image of Mastodon, with upstream's ids, names and classes where visitors look or click."""

import json
from html import escape

from .shared import page

_ACCENT = "#563acc"


def sign_in_page(csrf: str, *, email: str = "", problem: str = "") -> str:
    """The log-in form; a problem is shown above it."""
    flash = f'<div class="flash-message alert"><strong>{escape(problem)}</strong></div>' if problem else ""
    return _page(
        "Log in",
        f"""<main class="container-alt"><h1>Log in</h1>{flash}
<form class="simple_form new_user" id="new_user" action="/auth/sign_in" accept-charset="UTF-8" method="post">
{_hidden(csrf)}
<div class="fields-group"><div class="input with_label email required user_email">
<label for="user_email">E-mail address</label>
<input autofocus class="string email required" type="email" name="user[email]" id="user_email"
value="{escape(email)}" aria-label="E-mail address"></div></div>
<div class="fields-group"><div class="input with_label password optional user_password">
<label for="user_password">Password</label>
<input class="password optional" type="password" name="user[password]" id="user_password"
autocomplete="current-password" aria-label="Password"></div></div>
<div class="actions"><button name="button" type="submit" class="btn">Log in</button></div></form></main>""",
    )


def home_page(csrf: str, *, title: str, name: str, token: str) -> str:
    """What a user sees after logging in: somewhere to write, and the home timeline."""
    return _page(
        title,
        f"""<div class="app-holder" id="mastodon"><main class="columns-area">
<h1>{escape(title)}</h1><p class="navigation-bar"><strong>@{escape(name)}</strong></p>
<form class="compose-form"><div class="notification-bar" role="alert" hidden></div>
<div class="autosuggest-textarea"><textarea class="autosuggest-textarea__textarea" placeholder="What's on your mind?"
aria-label="What's on your mind?"></textarea></div><div class="compose-form__uploads"></div>
<div class="compose-form__buttons"><button type="button" class="compose-form__upload-button icon-button">Add images
</button><label><span style="display: none">Add images</span>
<input type="file" multiple accept="image/*,video/*" style="display: none"></label></div>
<div class="compose-form__submit"><button type="submit" class="button button--compact" disabled>Post</button></div>
</form>
<div class="item-list" role="feed" data-source="/api/v1/timelines/home"></div>
<form action="/auth/sign_out" method="post"><input type="hidden" name="_method" value="delete">{_hidden(csrf)}
<button type="submit">Log out</button></form></main></div>{_state(access_token=token, me=name)}""",
    )


def profile_page(*, name: str, display_name: str, number: int) -> str:
    """An account and its posts, for everybody."""
    return _page(
        display_name or name,
        f"""<main><h1 class="account__header__tabs__name">{escape(display_name or name)}</h1><p>@{escape(name)}</p>
<div class="item-list" role="feed" data-source="/api/v1/accounts/{number}/statuses"></div></main>{_state()}""",
    )


def landing_page(title: str) -> str:
    """What a visitor sees: the same application, with nothing to write in."""
    return _page(
        title,
        f"""<div class="app-holder" id="mastodon"><main class="columns-area"><h1>{escape(title)}</h1>
<p><a href="/auth/sign_in">Log in</a> <a href="/about">About</a></p></main></div>""",
    )


def about_page(*, title: str, description: str, rules: list[str], mode: str) -> str:
    """What the instance says of itself, and whether people may sign up."""
    words = {"open": "Everybody may sign up.", "approved": "Sign-ups are looked at by hand."}
    return _page(
        title,
        f"""<main class="about"><h1 class="about__header">{escape(title)}</h1><p>{escape(description)}</p>
<ol class="about__rules">{"".join(f"<li>{escape(rule)}</li>" for rule in rules)}</ol>
<p class="registrations">{words.get(mode, "Sign-ups are closed.")}</p>
<p><a href="/auth/sign_in">Log in</a></p></main>""",
    )


def setup_page() -> str:
    """For a user who cannot post yet."""
    return _page(
        "Setup", "<main><h1>Check your inbox</h1><p>This account is not confirmed or not approved yet.</p></main>"
    )


def _page(title: str, body: str) -> str:
    return page(f"{title} - Mastodon", body, stands_for="Mastodon", accent=_ACCENT)


def _hidden(csrf: str) -> str:
    return f'<input type="hidden" name="authenticity_token" value="{csrf}" autocomplete="off">'


def _state(**values: str) -> str:
    text = json.dumps(values).replace("<", "\\u003c")
    return (
        f'<script id="initial-state" type="application/json">{text}</script>'
        '<script type="module" src="/packs/home.js"></script>'
    )
