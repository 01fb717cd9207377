"""Signing up at the contract image of Mastodon: a form, a mail to confirm the address, and who is let in at once."""

import secrets

from .mastodon_accounts import email_mistakes, registrations_mode, username_mistakes
from .mastodon_database import Database
from .mastodon_pages import notice_page, sign_up_page
from .mastodon_queue import Queue
from .mastodon_sessions import Sessions
from .mastodon_settings import Settings
from .shared import Answer, Request, hash_password, html, redirect

# app/models/username_block.rb: digits that are taken for letters
_LOOKS_LIKE = str.maketrans("123457890", "izeastbgo")
_PASSWORD = range(8, 73)


class Newcomers:
    """Those who have no account yet."""

    def __init__(self, settings: Settings, sessions: Sessions, queue: Queue) -> None:
        self._settings, self._database = settings, Database(settings.servers.database)
        self._sessions, self._queue = sessions, queue

    def form(self, request: Request) -> Answer:
        return self._form(request) if self._is_open() else redirect("/auth/sign_in")

    def sign_up(self, request: Request) -> Answer:
        """An account that counts when its address is confirmed, and somebody has approved it where that is wanted."""
        fields = request.fields()
        if not self._sessions.is_own_form(request, token=fields.get("authenticity_token", "")):
            return html("<h1>Security verification failed. Are you blocking cookies?</h1>", 422)
        if not self._is_open():
            return redirect("/auth/sign_in", 303)
        name, email = fields.get("user[account_attributes][username]", ""), fields.get("user[email]", "").lower()
        mistakes = self._mistakes(name, email, fields)
        if mistakes:
            return self._form(request, problem=f"Something isn't quite right: {', '.join(mistakes)}")
        self._keep(name, email, fields["user[password]"])
        return html(notice_page("Check your inbox", "We have sent you an e-mail with a link to confirm your address."))

    def confirm(self, request: Request) -> Answer:
        """Where the link in the mail leads."""
        token = request.query.get("confirmation_token", "")
        confirmed = self._database.value(
            """UPDATE users SET confirmed_at = now(), confirmation_token = NULL
               WHERE confirmation_token = %s RETURNING id""",
            token,
        )
        if not confirmed:
            return html(notice_page("Resend confirmation link", "Confirmation token is invalid"), 422)
        return redirect("/auth/sign_in")

    def _is_open(self) -> bool:
        return not self._settings.federation.single_user and registrations_mode(self._database) != "none"

    def _mistakes(self, name: str, email: str, fields: dict[str, str]) -> list[str]:
        password = fields.get("user[password]", "")
        checks = {
            "Username is reserved": self._is_reserved(name),
            "Password is too short or too long": len(password) not in _PASSWORD,
            "Password doesn't match": fields.get("user[password_confirmation]") != password,
            "Agreement must be accepted": fields.get("user[agreement]") != "1",
        }
        said = [f"Username: {text}" for text in username_mistakes(self._database, name)]
        said += [f"E-mail: {text}" for text in email_mistakes(self._database, self._settings, email)]
        return said + [text for text, fails in checks.items() if fails]

    def _is_reserved(self, name: str) -> bool:
        normal = name.lower().translate(_LOOKS_LIKE)
        blocked = self._database.rows("SELECT username, exact FROM username_blocks")
        return any(normal == row["username"] if row["exact"] else row["username"] in normal for row in blocked)

    def _keep(self, name: str, email: str, password: str) -> None:
        token = secrets.token_urlsafe(15)
        self._database.rows(
            """WITH account AS (INSERT INTO accounts (username) VALUES (%s) RETURNING id)
               INSERT INTO users (account_id, email, encrypted_password, approved, confirmation_token)
               SELECT id, %s, %s, %s, %s FROM account""",
            *(name, email, hash_password(password), registrations_mode(self._database) == "open", token),
        )
        link = f"https://{self._settings.web_domain}/auth/confirmation?confirmation_token={token}"
        self._queue.put(
            "ActionMailer::MailDeliveryJob", email, "Mastodon: Confirmation instructions", link, queue="mailers"
        )

    def _form(self, request: Request, *, problem: str = "") -> Answer:
        session = self._sessions.current(request)
        form = sign_up_page(self._sessions.csrf(session), domain=self._settings.domain, problem=problem)
        return self._sessions.keep(html(form, 422 if problem else 200), session)
