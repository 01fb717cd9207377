"""The web server of Pixelfed's stand-in: upstream's addresses, its login, and how a picture is posted."""

import hashlib
import mimetypes
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import pixelfed_pages as pages
from .pixelfed_about import About
from .pixelfed_queue import STORAGE, Queue
from .pixelfed_settings import Listener, Settings
from .pixelfed_store import SESSION_SECONDS, Row, Store
from .shared import Answer, Application, Request, cookie, html, json_answer, plain, redirect, serve

_COOKIE = "pxfs"
_PUBLISHED = Path("public/storage")
_KINDS = ("image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4")
_EXPIRED = 419  # Laravel's own: the CSRF token does not fit the session
_Handler = Callable[..., Answer]


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

    def routes(self) -> dict[tuple[str, str], _Handler]:
        """The addresses that are answered."""
        return {
            ("GET", "/"): self._landing,
            ("GET", "/login"): self._login_form,
            ("POST", "/login"): self._log_in,
            ("POST", "/logout"): self._log_out,
            ("GET", "/i/verify-email"): lambda _: html(pages.note_page("Verify Email", "Confirm your address first.")),
            ("GET", "/i/web"): self._home,
            ("GET", "/i/web/compose"): self._compose,
            ("GET", "/i/web/post/{id}"): self._post,
            ("GET", "/p/{username}/{id}"): self._public_post,
            ("POST", "/api/compose/v0/media/upload"): self._upload,
            ("POST", "/api/compose/v0/publish"): self._publish,
            ("GET", "/storage/{path...}"): self._stored,
            ("GET", "/api/service/health-check"): lambda _: plain("OK"),
            **About(self._settings, self._store, self._queue).routes(),
            ("GET", "/{username}"): self._profile,
        }

    def guard(self, request: Request) -> Answer | None:
        """What comes before the application: the web server's own answers, and the domain that routes are bound to."""
        if self._listener.host and request.host != self._listener.host:
            return plain("")
        if request.path == "/healthcheck":
            return plain("OK")
        if request.host != self._settings.domain:
            return plain("Not Found", 404)
        return None

    def _landing(self, request: Request) -> Answer:
        return html(pages.note_page(self._settings.name, "Decentralized photo sharing social media"))

    def _login_form(self, request: Request) -> Answer:
        session = self._session(request)
        if session and session["user_id"]:
            return redirect("/i/web")
        session = session or self._store.begin_session()
        return html(pages.login_page(session["token"])).having(self._cookie(session))

    def _log_in(self, request: Request) -> Answer:
        session, fields = self._session(request), request.fields()
        if not session or fields.get("_token") != session["token"]:
            return plain("Page Expired", _EXPIRED)
        email = fields.get("email", "")
        who = f"{email.lower()}|{request.visitor}"
        if self._queue.is_throttled(who):
            error = "Too many login attempts. Please try again in 60 minutes."
            return html(pages.login_page(session["token"], email=email, error=error), 429)
        user = self._store.user_with_password(email, fields.get("password", ""))
        if not user:
            self._queue.count_failed_login(who)
            error = "These credentials do not match our records."
            return html(pages.login_page(session["token"], email=email, error=error), 422)
        self._queue.forget_failed_logins(who)
        self._store.end_session(session["id"])
        return redirect("/i/web").having(self._cookie(self._store.begin_session(user["id"])))

    def _log_out(self, request: Request) -> Answer:
        session = self._session(request)
        if not session or request.fields().get("_token") != session["token"]:
            return plain("Page Expired", _EXPIRED)
        self._store.end_session(session["id"])
        return redirect("/").having(self._cookie({"id": ""}, lifetime=0))

    def _home(self, request: Request) -> Answer:
        def show(session: Row, user: Row) -> Answer:
            return html(pages.home_page(self._posts(), session["token"], user["name"]))

        return self._for_user(request, show)

    def _compose(self, request: Request) -> Answer:
        return self._for_user(request, lambda session, user: html(pages.compose_page(session["token"], user["name"])))

    def _post(self, request: Request, number: str) -> Answer:
        def show(session: Row, user: Row) -> Answer:
            found = self._posts("statuses.id = %s", number)
            return html(pages.post_page(found[0], session["token"], user["name"])) if found else plain("Not Found", 404)

        return self._for_user(request, show)

    def _public_post(self, request: Request, username: str, number: str) -> Answer:
        found = self._posts("statuses.id = %s and username = %s", number, username)
        return html(pages.post_page(found[0])) if found else plain("Not Found", 404)

    def _profile(self, request: Request, username: str) -> Answer:
        found = self._store.ask("select * from profiles where username = %s", username)
        posts = self._posts("username = %s", username)
        return html(pages.profile_page(found[0], posts)) if found else plain("Not Found", 404)

    def _upload(self, request: Request) -> Answer:
        def keep(session: Row, user: Row) -> Answer:
            upload = request.files().get("file")
            most = self._settings.photo_kilobytes
            if not upload or upload.kind not in _KINDS or not 0 < len(upload.content) <= most * 1000:
                told = f"The file must be a picture or a video of at most {most} kilobytes."
                return json_answer({"message": told}, 422)
            month = hashlib.sha256(datetime.now(UTC).strftime("%Y-.-%m").encode()).hexdigest()
            folder = f"public/m/_v2/{user['profile_id']}/{month[:9]}-{month[9:15]}/{secrets.token_urlsafe(9)}"
            path = f"{folder}/{secrets.token_hex(20)}{mimetypes.guess_extension(upload.kind)}"
            (STORAGE / folder).mkdir(parents=True)
            (STORAGE / path).write_bytes(upload.content)
            number = self._store.insert(
                "insert into media (profile_id, media_path, mime, size) values (%s, %s, %s, %s)",
                *(user["profile_id"], path, upload.kind, len(upload.content)),
            )
            url = self._address(path)
            return json_answer({"id": str(number), "type": upload.kind.split("/")[0], "url": url, "preview_url": url})

        return self._for_script(request, keep)

    def _publish(self, request: Request) -> Answer:
        def post(session: Row, user: Row) -> Answer:
            given: Any = request.json()
            media = [int(one["id"]) for one in given["media"]]
            if not media:
                return json_answer({"message": "The media field is required."}, 422)
            number = self._store.insert(
                "insert into statuses (profile_id, caption) values (%s, %s)", user["profile_id"], given.get("caption")
            )
            for one in media:
                belongs = "id = %s and profile_id = %s and status_id is null"
                self._store.ask(
                    f"update media set status_id = %s where {belongs}",  # noqa: S608 - nothing of a visitor's in it
                    *(number, one, user["profile_id"]),
                )
                self._queue.push(one)
            return json_answer(f"{self._settings.url}/p/{user['username']}/{number}")

        return self._for_script(request, post)

    def _stored(self, request: Request, path: str) -> Answer:
        root = _PUBLISHED.resolve()
        file = (root / path).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            return plain("Not Found", 404)
        return Answer(200, file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream")

    def _for_user(self, request: Request, show: Callable[[Row, Row], Answer]) -> Answer:
        """What somebody who logged in gets; others are led to the login, or to confirm their address."""
        session = self._session(request)
        user = self._user(session)
        if not session or not user:
            return redirect("/login")
        if self._settings.demands_confirmed_email and not user["email_verified_at"]:
            return redirect("/i/verify-email")
        return show(session, user)

    def _for_script(self, request: Request, act: Callable[[Row, Row], Answer]) -> Answer:
        session = self._session(request)
        if not session or not session["user_id"]:
            return json_answer({"message": "Unauthenticated."}, 401)
        if request.header("X-CSRF-TOKEN") != session["token"]:
            return json_answer({"message": "CSRF token mismatch."}, _EXPIRED)
        return self._for_user(request, act)

    def _session(self, request: Request) -> Row | None:
        number = request.cookies.get(_COOKIE)
        return self._store.session(number) if number else None

    def _user(self, session: Row | None) -> Row | None:
        """Who is logged in; the name is the profile's, which is the one that is shown."""
        if not session or not session["user_id"]:
            return None
        found = self._store.ask(
            "select users.id, users.profile_id, users.username, users.email_verified_at, profiles.name from users "
            "join profiles on profiles.id = users.profile_id where users.id = %s",
            session["user_id"],
        )
        return found[0] if found else None

    def _cookie(self, session: Row, *, lifetime: int = SESSION_SECONDS) -> tuple[str, str]:
        """The session's cookie, for SESSION_DOMAIN: a browser takes away only what has the same domain."""
        name, value = cookie(_COOKIE, session["id"], lifetime=lifetime)
        return name, f"{value}; Domain={self._settings.domain}"

    def _posts(self, condition: str = "true", *values: object) -> list[Row]:
        found = self._store.posts(condition, *values)
        return [{**post, "picture": post["cdn_url"] or self._address(post["media_path"])} for post in found]

    def _address(self, path: str) -> str:
        """Where a picture is that was not moved to the cloud."""
        return f"{self._settings.url}/storage/{path.removeprefix('public/')}"
