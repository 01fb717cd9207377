"""What holds for every answer: its headers, the names that the server answers to, the session, no forged forms.

Rule: a handler is closed unless it says that it is open.
"""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from jupyter_server.auth import User
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, RequestHandler

from fedikit.panel.order import Place
from fedikit.panel.server.pages import Pages
from fedikit.panel.server.premises import Premises
from fedikit.panel.server.sessions import Session

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "Server": "fedikit",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""`no-referrer` would also hide from us where a form comes from; nothing is told to others either way."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "base-uri 'none'"
)
"""Styles may be inline: widgets bring theirs so."""
DEVICE_DAYS = 365


class Guard(JupyterHandler):  # type: ignore[misc] # jupyter_server is untyped
    """A handler that nobody passes who is not signed in."""

    is_open: ClassVar[bool] = False
    """Whether it answers those who are not signed in, too."""
    is_page: ClassVar[bool] = False
    """Whether those who are not signed in are shown the sign-in page, and not only refused."""
    session: Session | None = None

    @property
    def premises(self) -> Premises:
        premises: Premises = self.settings["premises"]
        return premises

    @property
    def pages(self) -> Pages:
        """What is written, in the language of the operator, or of the browser."""
        operator = self.premises.operator(self.session.operator) if self.session else None
        return Pages(operator.language if operator else "", self.request.headers.get("Accept-Language", ""))

    @property
    def is_secure(self) -> bool:
        """Whether visitors come by HTTPS."""
        return bool(self.settings["is_secure"])

    @property
    def content_security_policy(self) -> str:
        return POLICY

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.set_header("Content-Security-Policy", self.content_security_policy)
        if self.settings["is_secure"]:
            self.set_header("Strict-Transport-Security", "max-age=31536000")

    async def prepare(self) -> None:
        """Lets in who may come; everybody else gets no further."""
        self.current_user = self._jupyter_current_user = None
        if self.request.host_name.lower() not in self.settings["names"]:
            raise HTTPError(421)
        self.session = self.premises.sessions.find(self._cookie("session"))
        if self.session:
            self.current_user = self._jupyter_current_user = User(username=self.session.operator)
            self.note_activity()
        elif not self.is_open:
            self._turn_away()

    def own_place(self) -> Place:
        """What the operator works on: by the session, never by anything that a browser says."""
        if self.session is None:
            raise HTTPError(403)
        name = self.session.operator
        operator = self.premises.panel.operators[name]
        return Place(
            configuration=operator.configuration,
            environment=operator.environment,
            panel=str(self.premises.path),
            operator=name,
        )

    def note_activity(self) -> None:
        """Somebody does something: their session begins its idle time anew."""
        if self.session:
            self.premises.sessions.touch(self.session)

    def _turn_away(self) -> None:
        if self.is_page and self.request.method in ("GET", "HEAD"):
            self.redirect("/login")
            return
        raise HTTPError(403)

    def check_xsrf_cookie(self) -> None:
        """A form must come from a page of ours: by its origin, and by the token in it."""
        if "Origin" in self.request.headers and not self.check_origin(self.request.headers["Origin"]):
            raise HTTPError(403)
        RequestHandler.check_xsrf_cookie(self)

    def check_origin(self, origin_to_satisfy_tornado: str = "") -> bool:
        """Whether a page of this very server asks."""
        origin = urlsplit(origin_to_satisfy_tornado)
        scheme = "https" if self.is_secure else "http"
        return origin.scheme == scheme and origin.netloc.lower() == self.request.host.lower()

    def cookie_name(self, name: str) -> str:
        """Behind HTTPS, browsers refuse a cookie of this name from anywhere else."""
        return f"__Host-fedikit-{name}" if self.is_secure else f"fedikit-{name}"

    def give_cookie(self, name: str, value: str, *, days: int | None = None) -> None:
        """Sets a signed cookie that no script sees; without `days` it goes with the browser."""
        self.set_signed_cookie(
            self.cookie_name(name), value, expires_days=days, httponly=True, samesite="Strict", secure=self.is_secure
        )

    def take_cookie(self, name: str) -> None:
        self.clear_cookie(self.cookie_name(name), httponly=True, samesite="Strict", secure=self.is_secure)

    def _cookie(self, name: str) -> str:
        value = self.get_signed_cookie(self.cookie_name(name), max_age_days=DEVICE_DAYS)
        return value.decode() if value else ""

    def write_error(self, status_code: int, **_reasons: Any) -> None:
        """Says what is wrong in general; the server's log says more."""
        self.set_header("Content-Security-Policy", POLICY)  # not that of the page that it stands for
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(self.pages.error(status_code))


class Nothing(Guard):
    """What is not on the list."""

    is_page = True

    def get(self, *_: str) -> None:
        raise HTTPError(404)

    post = put = delete = patch = get
