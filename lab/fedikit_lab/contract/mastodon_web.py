"""The web process of the contract image of Mastodon: its routes, its pages and forms, and what comes before them."""

import ipaddress
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import mastodon_instance as instance
from . import mastodon_pages as pages
from .mastodon_accounts import registrations_mode, setting
from .mastodon_api import Api
from .mastodon_database import Database
from .mastodon_newcomers import Newcomers
from .mastodon_posts import LOCAL, Posts
from .mastodon_queue import Queue, Throttle
from .mastodon_sessions import Sessions
from .mastodon_settings import Settings
from .shared import Answer, Application, Request, html, plain, redirect

_PACKS = Path("public/packs")
_KINDS = {".js": "text/javascript", ".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".mp4": "video/mp4"}


def make_application(settings: Settings, client: Any) -> Application:
    """All routes over one set of servers."""
    database = Database(settings.servers.database)
    sessions = Sessions(database, settings.secret)
    posts = Posts(settings, client)
    newcomers = Newcomers(settings, sessions, Queue(client))
    site = Site(settings, sessions, Throttle(client, limit=25, seconds=300))
    routes: dict[tuple[str, str], Callable[..., Answer]] = {
        ("GET", "/health"): lambda request: plain("OK"),
        ("GET", "/"): site.home,
        ("GET", "/home"): site.home,
        ("GET", "/about"): site.about,
        ("GET", "/auth/sign_in"): site.sign_in,
        ("POST", "/auth/sign_in"): site.log_in,
        ("POST", "/auth/sign_out"): site.log_out,
        ("GET", "/auth/sign_up"): newcomers.form,
        ("POST", "/auth"): newcomers.sign_up,
        ("GET", "/auth/confirmation"): newcomers.confirm,
        ("GET", "/@{name}"): site.profile,
        ("GET", "/@{name}/{number}"): lambda request, name, number: _post(site, posts, request, name, number),
        ("GET", "/packs/{path...}"): lambda request, path: _static(_PACKS, path),
        ("GET", "/system/{path...}"): lambda request, path: _static(LOCAL, path),
        **Api(settings, sessions, posts).routes(),
        **instance.routes(settings, database),
    }
    return Application(
        routes,
        guard=lambda request: _guard(settings, request),
        ready=lambda request, answer: answer.having(*_headers(settings)),
        missing=lambda request: html("<h1>The page you are looking for isn't here.</h1>", 404),
    )


def _post(site: "Site", posts: Posts, request: Request, name: str, number: str) -> Answer:
    """A post stands on its account's page."""
    is_there = number.isdecimal() and posts.is_there(name, int(number))
    return site.profile(request, name) if is_there else html("<h1>Not found</h1>", 404)


class Site:
    """The pages of a visitor."""

    def __init__(self, settings: Settings, sessions: Sessions, throttle: Throttle) -> None:
        self._settings, self._database = settings, Database(settings.servers.database)
        self._sessions, self._throttle = sessions, throttle

    def home(self, request: Request) -> Answer:
        """The home timeline of who is logged in; others get the same application with nothing in it yet."""
        user = self._sessions.user(request)
        if not user:
            return self._landing()
        if not user["is_active"]:
            return html(pages.setup_page())
        csrf = self._sessions.csrf(self._sessions.current(request))
        title = setting(self._database, "site_title", instance.TITLE)
        return html(pages.home_page(csrf, title=title, name=user["username"], token=user["access_token"]))

    def about(self, request: Request) -> Answer:
        title = setting(self._database, "site_title", instance.TITLE)
        description = setting(self._database, "site_short_description", "")
        rules = [rule["text"] for rule in instance.rules_of(self._database)]
        mode = "none" if self._settings.federation.single_user else registrations_mode(self._database)
        return html(pages.about_page(title=title, description=description, rules=rules, mode=mode))

    def sign_in(self, request: Request) -> Answer:
        if self._sessions.user(request):
            return redirect("/")
        return self._form(request)

    def log_in(self, request: Request) -> Answer:
        """Logs in with the form's e-mail address and password; too many attempts are refused."""
        fields = request.fields()
        if not self._sessions.is_own_form(request, token=fields.get("authenticity_token", "")):
            return _forged()
        if self._throttle.refuses(visitor(self._settings, request)):
            return html("<h1>Throttled</h1>", 429)
        email = fields.get("user[email]", "")
        session = self._sessions.log_in(email, fields.get("user[password]", ""))
        if not session:
            return self._form(request, email=email, problem="Invalid E-mail address or password.")
        return self._sessions.keep(redirect("/", 303), session)

    def log_out(self, request: Request) -> Answer:
        if not self._sessions.is_own_form(request, token=request.fields().get("authenticity_token", "")):
            return _forged()
        self._sessions.log_out(request)
        return redirect("/auth/sign_in", 303)

    def profile(self, request: Request, name: str) -> Answer:
        if self._settings.federation.limited and not self._sessions.user(request):
            return redirect("/auth/sign_in")
        account = instance.find_account(self._database, name)
        if not account:
            return html("<h1>Not found</h1>", 404)
        return html(pages.profile_page(name=name, display_name=account["display_name"], number=account["id"]))

    def _landing(self) -> Answer:
        if instance.is_single(self._settings, self._database):
            name = self._database.value("SELECT username FROM accounts WHERE id > 0 ORDER BY id LIMIT 1")
            return redirect(f"/@{name}")
        return html(pages.landing_page(setting(self._database, "site_title", instance.TITLE)))

    def _form(self, request: Request, *, email: str = "", problem: str = "") -> Answer:
        session = self._sessions.current(request)
        form = pages.sign_in_page(self._sessions.csrf(session), email=email, problem=problem)
        return self._sessions.keep(html(form, 422 if problem else 200), session)


def _forged() -> Answer:
    return html("<h1>Security verification failed. Are you blocking cookies?</h1>", 422)


def visitor(settings: Settings, request: Request) -> str:
    """The visitor's address: the nearest one that is not a proxy's of ours."""
    way = [step.strip() for step in request.header("X-Forwarded-For").split(",") if step.strip()]
    for address in reversed([*way, request.peer]):
        if not any(ipaddress.ip_address(address) in network for network in settings.proxies):
            return address
    return request.peer


def _guard(settings: Settings, request: Request) -> Answer | None:
    """Foreign hosts are refused, and who did not come by https is sent there; health probes may do as they like."""
    if request.path == "/health":
        return None
    if request.host not in settings.hosts:
        return plain(f"Blocked hosts: {request.header('Host')}", 403)
    if not request.is_https:
        query = f"?{urllib.parse.urlencode(request.query)}" if request.query else ""
        status = 301 if request.method in {"GET", "HEAD"} else 307
        return redirect(f"https://{request.header('Host')}{request.path}{query}", status)
    return None


def _headers(settings: Settings) -> tuple[tuple[str, str], ...]:
    media = f" {'/'.join(settings.media.public.split('/')[:3])}" if settings.media else ""
    files = f"'self' data: blob:{media}"
    policy = {
        "base-uri": "'none'",
        "default-src": "'none'",
        "frame-ancestors": "'none'",
        "img-src": files,
        "media-src": files,
        "connect-src": f"{files} wss://{settings.web_domain}",
        "script-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "form-action": "'self'",
    }
    text = "; ".join(f"{name} {value}" for name, value in policy.items())
    return ("Content-Security-Policy", text), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin")


def _static(directory: Path, path: str) -> Answer:
    file = (directory / path).resolve()
    if not file.is_relative_to(directory.resolve()) or not file.is_file():
        return plain("Not Found", 404)
    return Answer(200, file.read_bytes(), _KINDS.get(file.suffix, "application/octet-stream"))
