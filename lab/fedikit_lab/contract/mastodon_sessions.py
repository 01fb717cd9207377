"""Who is logged in at the contract image of Mastodon: signed cookies, sessions in the database, tokens of forms."""

import secrets

from .mastodon_database import Database, Row
from .shared import Answer, Request, cookie, is_password, sign, unsign

COOKIE = "_mastodon_session"
_USER = """
    SELECT users.id AS user_id, users.account_id, users.confirmed_at IS NOT NULL AND users.approved AS is_active,
    accounts.username, accounts.display_name, session_activations.access_token,
    coalesce(last_used_at < now() - interval '24 hours', true) AS is_long_unused FROM session_activations
    JOIN users ON users.id = session_activations.user_id JOIN accounts ON accounts.id = users.account_id
"""


class Sessions:
    """Sessions of visitors, logged in or not."""

    def __init__(self, database: Database, secret: str) -> None:
        self._database, self._secret = database, secret

    def current(self, request: Request) -> str:
        """The visitor's session, or a new one."""
        return unsign(request.cookies.get(COOKIE, ""), self._secret) or secrets.token_urlsafe(16)

    def csrf(self, session: str) -> str:
        """The token that forms of this session carry."""
        return sign(session, f"csrf {self._secret}").rpartition("--")[2]

    def is_own_form(self, request: Request, *, token: str) -> bool:
        """Whether a form was drawn for this visitor, and sent from a page of this host by https."""
        origin = request.header("Origin")
        is_here = not origin or origin.lower() == f"https://{request.header('Host').lower()}"
        return is_here and secrets.compare_digest(token.encode(), self.csrf(self.current(request)).encode())

    def keep(self, answer: Answer, session: str) -> Answer:
        """The answer with the session's cookie."""
        return answer.having(cookie(COOKIE, sign(session, self._secret)))

    def user(self, request: Request) -> Row | None:
        """The user who is logged in with a cookie."""
        return self._database.row(f"{_USER} WHERE session_id = %s", self.current(request))

    def bearer(self, request: Request) -> Row | None:
        """The user to whom the request's access token belongs; once a day it is written down that it is in use."""
        kind, _, token = request.header("Authorization").partition(" ")
        user = self._database.row(f"{_USER} WHERE access_token = %s", token) if kind.lower() == "bearer" else None
        if user and user["is_long_unused"]:
            self._database.rows("UPDATE session_activations SET last_used_at = now() WHERE access_token = %s", token)
        return user

    def log_in(self, email: str, password: str) -> str | None:
        """A new session for a user; nothing when address and password do not belong together."""
        user = self._database.row("SELECT * FROM users WHERE email = %s", email.strip().lower())
        if not user or not is_password(password, user["encrypted_password"]):
            return None
        session = secrets.token_urlsafe(16)
        token = secrets.token_urlsafe(32)
        self._database.rows("INSERT INTO session_activations VALUES (%s, %s, %s)", session, user["id"], token)
        return session

    def log_out(self, request: Request) -> None:
        """Ends the visitor's session."""
        self._database.rows("DELETE FROM session_activations WHERE session_id = %s", self.current(request))
