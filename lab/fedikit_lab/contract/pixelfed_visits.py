"""Who visits Pixelfed's stand-in: sessions, their cookie, and what only somebody who is logged in gets."""

from collections.abc import Callable

from .pixelfed_settings import Settings
from .pixelfed_store import SESSION_SECONDS, Row, Store
from .shared import Answer, Request, cookie, json_answer, redirect

COOKIE = "pxfs"
EXPIRED = 419  # Laravel's own: the CSRF token does not fit the session


class Visits:
    """The visitors of one instance."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def session(self, request: Request) -> Row | None:
        """The session that the visitor's cookie names."""
        number = request.cookies.get(COOKIE)
        return self._store.session(number) if number else None

    def begin(self, request: Request) -> Row:
        """The visitor's session, a new one if there is none."""
        return self.session(request) or self._store.begin_session()

    def log_in(self, former: Row, user: int) -> tuple[str, str]:
        """Ends the session of before, and begins that of somebody: its cookie."""
        self._store.end_session(former["id"])
        return self.cookie(self._store.begin_session(user))

    def is_from_here(self, request: Request, session: Row | None) -> bool:
        """Whether a form was sent from a page of that session."""
        return session is not None and request.fields().get("_token") == session["token"]

    def cookie(self, session: Row, *, lifetime: int = SESSION_SECONDS) -> tuple[str, str]:
        """The session's cookie; for this host alone if there is no domain."""
        name, value = cookie(COOKIE, session["id"], lifetime=lifetime)
        domain = self._settings.cookie_domain
        return name, f"{value}; Domain={domain}" if domain else value

    def back(self, path: str, session: Row, error: str) -> Answer:
        """Leads back to a form, which will say what was wrong."""
        self._store.note(session["id"], error)
        return redirect(path).having(self.cookie(session))

    def for_user(self, request: Request, show: Callable[[Row, Row], Answer]) -> Answer:
        """What somebody who is logged in gets; others are led to the login."""
        session = self.session(request)
        user = self._user(session)
        return show(session, user) if session and user else redirect("/login")

    def for_script(self, request: Request, act: Callable[[Row, Row], Answer]) -> Answer:
        """The same for a page's script."""
        session = self.session(request)
        if not session or not session["user_id"]:
            return json_answer({"message": "Unauthenticated."}, 401)
        if request.header("X-CSRF-TOKEN") != session["token"]:
            return json_answer({"message": "CSRF token mismatch."}, EXPIRED)
        return self.for_user(request, act)

    def _user(self, session: Row | None) -> Row | None:
        """Who is logged in; the name is the profile's, which is the one that is shown."""
        if not session or not session["user_id"]:
            return None
        found = self._store.ask(
            "select users.id, users.profile_id, users.username, profiles.name from users join profiles "
            "on profiles.id = users.profile_id where users.id = %s and deleted_at is null",
            session["user_id"],
        )
        return found[0] if found else None
