"""How newcomers get into Pixelfed's stand-in: sign-up, and the address that they confirm by mail."""

import re
import secrets
from collections.abc import Callable

from . import pixelfed_pages as pages
from .pixelfed_about import is_username
from .pixelfed_config import Config
from .pixelfed_mail import send
from .pixelfed_settings import Settings
from .pixelfed_store import Store
from .pixelfed_visits import EXPIRED, Visits
from .shared import Answer, Request, html, plain, redirect

_LEAST_PASSWORD = 8
_LONGEST_NAME = 30
_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
CONFIRM = "/login?step=verify"


class SignUp:
    """The pages of those who have no account yet."""

    def __init__(self, settings: Settings, store: Store, visits: Visits) -> None:
        self._settings = settings
        self._store = store
        self._visits = visits
        self._config = Config(settings, store)

    def routes(self) -> dict[tuple[str, str], Callable[..., Answer]]:
        """The addresses that are answered."""
        return {
            ("GET", "/register"): self._form,
            ("POST", "/register"): self._register,
            ("GET", "/auth/sign_up"): self._application,
            ("GET", "/i/confirm-email/{user}/{random}"): self._confirm,
        }

    def send_link(self, user: int, email: str) -> None:
        """Mails somebody the address that confirms theirs."""
        tokens = secrets.token_hex(20), secrets.token_hex(32)
        self._store.ask(
            "insert into email_verifications (user_id, email, user_token, random_token) values (%s, %s, %s, %s)",
            *(user, email, *tokens),
        )
        link = f"{self._settings.url}/i/confirm-email/{tokens[0]}/{tokens[1]}"
        send(self._settings.mail, email, "Confirm Email", f"Confirm your e-mail address: {link}\n")

    def _form(self, request: Request) -> Answer:
        closed = self._closed()
        if closed:
            return closed
        session = self._visits.begin(request)
        page = pages.register_page(session["token"], error=self._store.noted(session["id"]))
        return html(page).having(self._visits.cookie(session))

    def _closed(self) -> Answer | None:
        """What visitors get where nobody may sign up; those who may ask for approval are led there."""
        if not self._config.is_on("pixelfed.open_registration"):
            approved = self._config.is_on("instance.curated_registration.enabled")
            return redirect("/auth/sign_up") if approved else plain("Not Found", 404)
        most = self._settings.most_users
        users = self._store.ask("select count(*) as number from users where deleted_at is null")[0]["number"]
        return redirect("/site/kb/instance-max-users-limit") if most and int(users) >= most else None

    def _register(self, request: Request) -> Answer:
        session, fields = self._visits.session(request), request.fields()
        if not session or not self._visits.is_from_here(request, session):
            return plain("Page Expired", EXPIRED)
        if not self._config.is_on("pixelfed.open_registration"):
            return plain("Bad Request", 400)
        if error := self._closed() or self._complaint(fields):
            return error if isinstance(error, Answer) else self._visits.back("/register", session, error)
        given = (fields["name"], fields["username"], fields["email"], fields["password"])
        user = self._store.create_user(*given, admin=False, confirmed=False)
        if self._settings.demands_confirmed_email:
            self.send_link(user, fields["email"])
            return redirect(CONFIRM)
        return redirect("/i/web").having(self._visits.log_in(session, user))

    def _complaint(self, fields: dict[str, str]) -> str:
        """What is wrong with the form, in upstream's words where it has any."""
        taken = "select id from users where username = %s or email = %s"
        if not is_username(fields.get("username", "")):
            return "Username is invalid."
        if self._store.ask(taken, fields["username"], fields.get("email", "")):
            return "The username has already been taken."
        if len(fields.get("name", "")) > _LONGEST_NAME:
            return f"The name may not be greater than {_LONGEST_NAME} characters."
        if not _ADDRESS.fullmatch(fields.get("email", "")):
            return "The email must be a valid email address."
        if len(fields.get("password", "")) < _LEAST_PASSWORD:
            return f"The password must be at least {_LEAST_PASSWORD} characters."
        asks = self._config.is_on("captcha.enabled") and self._config.is_on("captcha.active.register")
        return "The captcha field is required." if asks and not fields.get("h-captcha-response") else ""

    def _application(self, request: Request) -> Answer:
        if not self._config.is_on("instance.curated_registration.enabled"):
            return plain("Not Found", 404)
        return html(pages.note_page("Sign up", "Tell us why you want to join; an administrator will look at it."))

    def _confirm(self, request: Request, user: str, random: str) -> Answer:
        found = self._store.ask(
            "select user_id from email_verifications where user_token = %s and random_token = %s "
            "and created_at > now() - interval 1 day",
            *(user, random),
        )
        if not found:
            return plain("Not Found", 404)
        self._store.ask("update users set email_verified_at = now() where id = %s", found[0]["user_id"])
        return redirect("/login")
