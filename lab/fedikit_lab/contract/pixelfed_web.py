"""The web server of Pixelfed's stand-in: upstream's addresses, its login and its pages."""

from collections.abc import Callable

from . import pixelfed_pages as pages
from .pixelfed_about import About
from .pixelfed_artisan import VIEWS
from .pixelfed_config import Config
from .pixelfed_media import Media
from .pixelfed_queue import Queue
from .pixelfed_register import CONFIRM, SignUp
from .pixelfed_settings import Listener, Settings
from .pixelfed_store import Row, Store
from .pixelfed_visits import EXPIRED, Visits
from .shared import Answer, Application, Request, html, plain, redirect, serve

_Handler = Callable[..., Answer]
_LOCKED = "Too many login attempts. Please try again in 3600 seconds."
_WRONG = "These credentials do not match our records."
_ANY_HOST = ("/api/", "/.well-known/", "/storage/")


def run_web(settings: Settings, listener: Listener) -> int:
    """Serves the instance until told to stop."""
    site = Site(settings, listener)
    return serve(Application(site.routes(), guard=site.guard), listener.address, listener.port)


class Site:
    """What visitors of one instance may ask for."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self._settings = settings
        self._listener = listener
        self._store = Store(settings)
        self._queue = Queue(settings)
        self._visits = Visits(settings, self._store)
        self._media = Media(settings, self._store, self._queue, self._visits)
        self._sign_up = SignUp(settings, self._store, self._visits)

    def routes(self) -> dict[tuple[str, str], _Handler]:
        """The addresses that are answered."""
        return {
            ("GET", "/"): self._landing,
            ("GET", "/login"): self._login_form,
            ("POST", "/login"): self._log_in,
            ("POST", "/logout"): self._log_out,
            ("GET", "/i/web"): self._home,
            ("GET", "/i/web/compose"): self._compose,
            ("GET", "/i/web/post/{id}"): self._post,
            ("GET", "/p/{username}/{id}"): self._public_post,
            ("GET", "/api/service/health-check"): lambda _: plain("OK"),
            **self._media.routes(),
            **self._sign_up.routes(),
            **About(self._settings, self._store, self._queue).routes(),
            ("GET", "/{username}"): self._profile,
        }

    def guard(self, request: Request) -> Answer | None:
        """What comes before the application: the web server's own answers, and the domain that pages are bound to."""
        if self._listener.host and request.host != self._listener.host:
            return plain("")
        if request.path == "/healthcheck":
            return plain("OK")
        if request.path.startswith(_ANY_HOST):
            return None
        if request.host != self._settings.domain:
            return plain("Not Found", 404)
        return None if VIEWS.is_dir() else plain("Please provide a valid cache path.", 500)

    def _landing(self, request: Request) -> Answer:
        title = Config(self._settings, self._store)["app.name"]
        return html(pages.note_page(title, "Decentralized photo sharing social media"))

    def _login_form(self, request: Request) -> Answer:
        session = self._visits.begin(request)
        if session["user_id"]:
            return redirect("/i/web")
        page = pages.login_page(session["token"], error=self._store.noted(session["id"]))
        if request.query.get("step") == "verify":
            page = pages.note_page("Verify Your Email Address", "We have sent a link to your e-mail address.")
        return html(page).having(self._visits.cookie(session))

    def _log_in(self, request: Request) -> Answer:
        session, fields = self._visits.session(request), request.fields()
        if not session or not self._visits.is_from_here(request, session):
            return plain("Page Expired", EXPIRED)
        email = fields.get("email", "")
        who = f"{email.lower()}|{request.visitor}"
        if self._queue.is_throttled(who):
            return self._visits.back("/login", session, _LOCKED)
        user = self._store.user_with_password(email, fields.get("password", ""))
        if not user:
            self._queue.count_failed_login(who)
            return self._visits.back("/login", session, _WRONG)
        self._queue.forget_failed_logins(who)
        if not user["email_verified_at"]:
            return self._unconfirmed(user)
        return redirect("/i/web").having(self._visits.log_in(session, user["id"]))

    def _unconfirmed(self, user: Row) -> Answer:
        """A new link, or, where nobody has to confirm, a page that does not exist: so it was until 0.12 at least."""
        if not self._settings.demands_confirmed_email:
            return redirect("/auth/verify-email")
        self._sign_up.send_link(user["id"], user["email"])
        return redirect(CONFIRM)

    def _log_out(self, request: Request) -> Answer:
        session = self._visits.session(request)
        if not session or not self._visits.is_from_here(request, session):
            return plain("Page Expired", EXPIRED)
        self._store.end_session(session["id"])
        return redirect("/").having(self._visits.cookie({"id": ""}, lifetime=0))

    def _home(self, request: Request) -> Answer:
        def show(session: Row, user: Row) -> Answer:
            return html(pages.home_page(self._media.posts(), session["token"], user["name"]))

        return self._visits.for_user(request, show)

    def _compose(self, request: Request) -> Answer:
        def show(session: Row, user: Row) -> Answer:
            config = Config(self._settings, self._store)
            limits = config["pixelfed.media_types"], config["pixelfed.max_album_length"]
            return html(pages.compose_page(session["token"], user["name"], *limits))

        return self._visits.for_user(request, show)

    def _post(self, request: Request, number: str) -> Answer:
        def show(session: Row, user: Row) -> Answer:
            found = self._media.posts("statuses.id = %s", number)
            return html(pages.post_page(found[0], session["token"], user["name"])) if found else plain("Not Found", 404)

        return self._visits.for_user(request, show)

    def _public_post(self, request: Request, username: str, number: str) -> Answer:
        found = self._media.posts("statuses.id = %s and username = %s", number, username)
        return html(pages.post_page(found[0])) if found else plain("Not Found", 404)

    def _profile(self, request: Request, username: str) -> Answer:
        found = self._store.ask("select * from profiles where username = %s", username)
        posts = self._media.posts("username = %s", username)
        return html(pages.profile_page(found[0], posts)) if found else plain("Not Found", 404)
