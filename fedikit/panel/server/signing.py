"""Signing in and out."""

import math
import secrets

from fedikit.panel.server.door import Claim, Door, MustWait
from fedikit.panel.server.guard import DEVICE_DAYS, Guard


class SignIn(Guard):
    """The sign-in page, and what its form sends."""

    is_open = True

    def get(self) -> None:
        if self.session:
            self.redirect("/")
            return
        self._show()

    async def post(self) -> None:
        door: Door = self.settings["door"]
        claim = self._claim()
        text = self.pages.text
        try:
            is_let_in = await door.lets_in(claim)
        except MustWait as must:
            self.set_header("Retry-After", str(math.ceil(must.seconds)))
            seconds = math.ceil(must.seconds)
            self._show(
                429, text.plural("Too many tries. Wait {n} second.", "Too many tries. Wait {n} seconds.", seconds)
            )
            return
        if is_let_in:
            self._let_in(claim)
        else:
            self._show(403, text("The name, the password or the code is wrong."))

    def _claim(self) -> Claim:
        name = self.get_body_argument("name", "").strip().lower()
        known, _, token = self._cookie("device").partition(":")
        return Claim(
            name=name,
            password=self.get_body_argument("password", "", strip=False),
            code=self.get_body_argument("code", ""),
            address=self.request.remote_ip or "",
            device=token if known == name else "",
        )

    def _let_in(self, claim: Claim) -> None:
        if self.session:
            self.premises.sessions.end(self.session)
        self.give_cookie("session", self.premises.sessions.begin(claim.name))
        self.give_cookie("device", f"{claim.name}:{claim.device or secrets.token_urlsafe(16)}", days=DEVICE_DAYS)
        self.redirect("/")

    def _show(self, status: int = 200, message: str = "") -> None:
        self.set_status(status)
        self.finish(
            self.pages.render(
                "login.html",
                title=self.pages.text("Sign in"),
                message=message,
                name=self.get_body_argument("name", "")[:31] if status == 403 else "",
                asks_for_code=self.premises.factor.is_in_use(),
                xsrf_token=self.xsrf_token.decode(),
            )
        )


class SignOut(Guard):
    """Ends the session, and closes its pages."""

    is_page = True

    async def post(self) -> None:
        if self.session:
            self.premises.sessions.end(self.session)
        self.take_cookie("session")
        self.redirect("/login")
