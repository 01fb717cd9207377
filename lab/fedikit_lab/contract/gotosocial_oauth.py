"""How somebody signs in to GoToSocial's stand-in: the form, its session, and the tokens that applications get."""

import secrets
import urllib.parse
from collections.abc import Callable
from html import escape

from .gotosocial_settings import Settings
from .gotosocial_store import Store, new_id
from .shared import Answer, Request, cookie, html, json_answer, page, redirect
from .tables import Row

_OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
_SESSION_SECONDS = 120
_REMEMBERED = ("response_type", "client_id", "redirect_uri")
_ADVICE = "If you arrived at this error during a sign in/oauth flow, please try clearing your session cookies."
_SIGN_IN = """\
<main><section class="with-form"><h2>Sign in</h2><form action="/auth/sign_in" method="POST">
<label for="username">Email</label>
<input type="email" name="username" id="username" required placeholder="Please enter your email address">
<label for="password">Password</label>
<input type="password" name="password" id="password" required placeholder="Please enter your password">
<button type="submit" class="btn btn-success">Sign in</button></form></section></main>"""
_SECOND_FACTOR = """\
<main><section class="with-form"><form action="/auth/2fa" method="POST"><label for="code">Code</label>
<input name="code" id="code" required>
<button type="submit" class="btn btn-success">Sign in</button></form></section></main>"""
_AUTHORIZE = """\
<main><section class="with-form"><h2>Hi {user}!</h2><form action="/oauth/authorize" method="POST">
<p>Application <b>{name}</b> would like to perform actions on your behalf, with scope <em>{scope}</em>.</p>
<button type="submit" class="btn btn-success">Allow</button></form></section></main>"""
_Handler = Callable[..., Answer]


class OAuth:
    """What is answered below /auth and /oauth, and how applications make themselves known."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._sessions: dict[str, dict[str, str]] = {}

    def routes(self) -> dict[tuple[str, str], _Handler]:
        """The addresses that are answered."""
        return {
            ("POST", "/api/v1/apps"): self._add_application,
            ("GET", "/auth/sign_in"): lambda _: self._page("Sign in", _SIGN_IN),
            ("POST", "/auth/sign_in"): self._sign_in,
            ("GET", "/oauth/authorize"): self._begin,
            ("POST", "/oauth/authorize"): self._authorize,
            ("GET", "/oauth/oob"): self._show_code,
            ("GET", "/auth/2fa"): lambda _: self._page("Second factor", _SECOND_FACTOR),
            ("POST", "/oauth/token"): self._give_token,
            ("POST", "/oauth/revoke"): self._revoke,
            ("GET", "/api/v1/tokens"): self._tokens,
            ("POST", "/api/v1/tokens/{id}/invalidate"): self._invalidate,
        }

    def user(self, request: Request) -> Row | None:
        """Who bears the token of this request."""
        kind, _, token = request.header("Authorization").partition(" ")
        found = self._store.ask("select user_id from tokens where access = %s", token) if kind == "Bearer" else []
        return self._store.user(found[0]["user_id"]) if found else None

    def _add_application(self, request: Request) -> Answer:
        form = request.fields()
        if not form.get("client_name") or not form.get("redirect_uris"):
            return json_answer({"error": "Bad Request: client_name and redirect_uris must be set"}, 400)
        told = {"client_id": secrets.token_hex(13).upper(), "client_secret": secrets.token_hex(18)}
        self._store.ask(
            "insert into applications values (%s, %s, %s, %s, %s)",
            *(*told.values(), form["client_name"], form["redirect_uris"], form.get("scopes", "read")),
        )
        return json_answer({"name": form["client_name"], "redirect_uri": form["redirect_uris"], **told})

    def _begin(self, request: Request) -> Answer:
        session = self._session(request)
        if not session.get("userid"):
            missing = [name for name in _REMEMBERED if not request.query.get(name)]
            if missing:
                return self._error(f"field {missing[0]} was not set on OAuthAuthorize form", 400)
            session = {**request.query, "scope": request.query.get("scope", "read")}
            return self._keep(redirect("/auth/sign_in", 303), session)
        application = self._application(session)
        if not application:
            return self._error(f"application for client_id {session.get('client_id')} could not be retrieved", 400)
        user = self._store.user(session["userid"])
        names = {"user": user["username"], "name": application["name"], "scope": session["scope"]}
        body = _AUTHORIZE.format(**{name: escape(value) for name, value in names.items()})
        return self._page("Authorize", body)

    def _sign_in(self, request: Request) -> Answer:
        form, session = request.fields(), self._session(request)
        user = self._store.user_with_password(form.get("username", ""), form.get("password", ""))
        if not user:
            return self._error("password/email combination was incorrect", 401)
        if user["second_factor"]:
            return self._keep(redirect("/auth/2fa"), session)
        return self._keep(redirect("/oauth/authorize"), {**session, "userid": user["id"]})

    def _authorize(self, request: Request) -> Answer:
        session = self._session(request)
        missing = [name for name in (*_REMEMBERED, "userid") if not session.get(name)]
        application = self._application(session)
        if missing or not application:
            return self._error(f"key {''.join(missing[:1])} was not found in session", 400)
        user = self._store.user(session["userid"])
        if user["disabled"]:
            return redirect("/auth/account_disabled", 303)
        if session["redirect_uri"] not in application["redirect_uri"].split():
            return self._error("invalid redirect uri", 400)
        code = secrets.token_urlsafe(36)
        self._store.ask(
            "insert into tokens (id, code, client_id, redirect_uri, user_id, scope) values (%s, %s, %s, %s, %s, %s)",
            *(new_id(), code, session["client_id"], session["redirect_uri"], user["id"], session["scope"]),
        )
        back = session["redirect_uri"]
        given = {"code": code, **({"state": session["state"]} if session.get("state") else {})}
        place = "/oauth/oob" if back == _OUT_OF_BAND else back
        return redirect(f"{place}?{urllib.parse.urlencode(given)}")

    def _show_code(self, request: Request) -> Answer:
        code = escape(request.query.get("code", ""))
        return self._page(
            "Token", f"<main><section>Here's your out-of-band token: <code>{code}</code></section></main>"
        )

    def _give_token(self, request: Request) -> Answer:
        form = request.fields()
        known = self._store.ask("select * from applications where client_id = %s", form.get("client_id"))
        if not known or known[0]["client_secret"] != form.get("client_secret"):
            return json_answer({"error": "invalid_client"}, 401)
        if form.get("grant_type") != "authorization_code":
            return json_answer({"error": "invalid_request"}, 400)
        access = secrets.token_urlsafe(36)
        given = self._store.ask(
            "update tokens set access = %s, code = null where code = %s and client_id = %s and redirect_uri = %s "
            "returning scope",
            *(access, form.get("code"), form["client_id"], form.get("redirect_uri")),
        )
        if not given:
            return json_answer({"error": "invalid_grant"}, 401)
        return json_answer({"access_token": access, "scope": given[0]["scope"], "token_type": "Bearer"})

    def _revoke(self, request: Request) -> Answer:
        form = request.fields()
        known = self._store.ask("select * from applications where client_id = %s", form.get("client_id"))
        if not known or known[0]["client_secret"] != form.get("client_secret"):
            return json_answer({"error": "unauthorized_client"}, 403)
        self._store.ask("delete from tokens where access = %s and client_id = %s", form.get("token"), form["client_id"])
        return json_answer({})

    def _tokens(self, request: Request) -> Answer:
        """Those of the caller; they never expire."""
        user = self.user(request)
        if not user:
            return json_answer({"error": "Unauthorized: token not supplied"}, 401)
        found = self._store.ask(
            "select id, scope, name from tokens join applications using (client_id) "
            "where user_id = %s and access is not null order by id desc limit %s",
            *(user["id"], min(int(request.query.get("limit", "25")), 100)),
        )
        return json_answer([{**one, "application": {"name": one.pop("name")}} for one in found])

    def _invalidate(self, request: Request, number: str) -> Answer:
        user = self.user(request)
        gone = user and self._store.ask(
            "delete from tokens where id = %s and user_id = %s returning id, scope", number, user["id"]
        )
        return json_answer(gone[0]) if gone else json_answer({"error": "Not Found"}, 404)

    def _application(self, session: dict[str, str]) -> Row | None:
        found = self._store.ask("select * from applications where client_id = %s", session.get("client_id"))
        return found[0] if found else None

    @property
    def _cookie(self) -> str:
        return f"gotosocial-{self._settings.host}"

    def _session(self, request: Request) -> dict[str, str]:
        return self._sessions.get(request.cookies.get(self._cookie, ""), {})

    def _keep(self, answer: Answer, session: dict[str, str]) -> Answer:
        number = secrets.token_urlsafe(24)
        self._sessions[number] = session
        name, value = cookie(self._cookie, number, lifetime=_SESSION_SECONDS)
        return answer.having((name, f"{value}; Domain={self._settings.host}"))

    def _page(self, title: str, body: str, status: int = 200) -> Answer:
        return html(page(f"{title} - {self._settings.host}", body, stands_for="GoToSocial", accent="#b4540a"), status)

    def _error(self, words: str, status: int) -> Answer:
        body = f'<main><section class="error"><h2>An error occured:</h2><pre>{escape(words)}: {_ADVICE}</pre></section>'
        return self._page("Error", f"{body}</main>", status)
