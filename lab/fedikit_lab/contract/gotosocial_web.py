"""The server of GoToSocial's stand-in: its API, its public pages, and media that it fetches from the bucket."""

import os
import re
import signal
import time
from collections.abc import Callable
from html import escape

from .gotosocial_federation import Federation
from .gotosocial_media import EXTENSIONS, Media, thumbnail_extension, without_exif
from .gotosocial_oauth import OAuth
from .gotosocial_settings import Settings
from .gotosocial_store import Invalid, Store, check_password, new_id
from .shared import (
    Answer,
    Application,
    Refused,
    Request,
    hash_password,
    html,
    is_password,
    json_answer,
    page,
    plain,
    serve,
)
from .tables import Row
from .version import VERSION

_Handler = Callable[..., Answer]
_UserHandler = Callable[..., Answer]


def run_server(settings: Settings, store: Store) -> int:
    """Serves the instance until told to stop; while it prepares itself, it only says that it lives."""
    site = Site(settings, store, Media(settings))
    application = Application(
        site.routes(), guard=site.guard, read_seconds=settings.read_seconds, write_seconds=settings.write_seconds
    )
    status = serve(application, *settings.listen, beside=site.prepare)
    if site.refusal:
        raise site.refusal
    return status


class Site:
    """What visitors and programs may ask for."""

    def __init__(self, settings: Settings, store: Store, media: Media) -> None:
        self._settings = settings
        self._store = store
        self._media = media
        self._oauth = OAuth(settings, store)
        self._federation = Federation(settings, store, self._for_user)
        self._is_ready = False
        self.refusal: Refused | None = None
        """Why it cannot be served at all."""

    def prepare(self) -> None:
        """Migrates the database, which may take long, and looks for the bucket; ends the server if that fails."""
        try:
            self._store.migrate()
            time.sleep(self._settings.migration_seconds)
            self._store.begin()
            self._media.demand()
            self._is_ready = True
        except Refused as refusal:
            self.refusal = refusal
            os.kill(os.getpid(), signal.SIGTERM)

    def routes(self) -> dict[tuple[str, str], _Handler]:
        """The addresses that are answered."""
        return {
            ("GET", "/livez"): lambda _: Answer(200),
            ("GET", "/readyz"): self._ready,
            ("GET", "/"): lambda _: self._page(self._settings.host, "<section>A GoToSocial instance.</section>"),
            ("GET", "/.well-known/nodeinfo"): self._nodeinfo_link,
            ("GET", "/nodeinfo/2.0"): self._nodeinfo,
            ("GET", "/.well-known/webfinger"): self._webfinger,
            ("GET", "/api/v1/instance"): self._instance,
            ("GET", "/api/v1/user"): self._for_user(lambda _, user: json_answer(_told_user(user))),
            ("POST", "/api/v1/user/password_change"): self._for_user(self._change_password),
            ("GET", "/api/v1/accounts/verify_credentials"): self._for_user(lambda _, user: self._account(user)),
            ("PATCH", "/api/v1/accounts/update_credentials"): self._for_user(self._change_account),
            ("POST", "/api/v1/media"): self._for_user(self._upload),
            ("POST", "/api/v1/statuses"): self._for_user(self._publish),
            ("POST", "/api/v1/user/2fa/enable"): self._for_user(self._add_second_factor),
            ("GET", "/api/v1/timelines/public"): self._public,
            ("GET", "/fileserver/{path...}"): self._file,
            ("GET", "/@{name}"): self._profile,
            ("GET", "/@{name}/statuses/{id}"): self._status,
            **self._federation.routes(),
            **self._oauth.routes(),
        }

    def guard(self, request: Request) -> Answer | None:
        """Before it is ready, it only lives; and visitors who do not say what they are get no answer."""
        if not self._is_ready:
            return None if request.path == "/livez" else self._maintenance()
        if request.header("User-Agent"):
            return None
        return json_answer({"error": "I'm a teapot: no user-agent sent with request"}, 418)

    def _ready(self, request: Request) -> Answer:
        self._store.ask("select 1")
        return Answer(200)

    def _maintenance(self) -> Answer:
        body = "<main><section>This instance is currently down for maintenance.</section></main>"
        return html(page("Maintenance", body, stands_for="GoToSocial"), 503).having(("Retry-After", "120"))

    def _nodeinfo_link(self, request: Request) -> Answer:
        href = f"{self._settings.url}/nodeinfo/2.0"
        return json_answer({"links": [{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": href}]})

    def _nodeinfo(self, request: Request) -> Answer:
        return json_answer(
            {
                "version": "2.0",
                "software": {"name": "gotosocial", "version": VERSION},
                "protocols": ["activitypub"],
                "services": {"inbound": [], "outbound": []},
                "openRegistrations": self._settings.accepts_registrations,
                "usage": {"users": {"total": len(self._store.users())}},
                "metadata": {},
            }
        )

    def _webfinger(self, request: Request) -> Answer:
        resource = request.query.get("resource", "")
        name, _, host = resource.removeprefix("acct:").partition("@")
        known = self._store.ask("select id from accounts where username = %s", name)
        if host not in (self._settings.host, self._settings.account_domain) or not known:
            return json_answer({"error": "Not Found"}, 404)
        href = f"{self._settings.url}/users/{name}"
        links = [{"rel": "self", "type": "application/activity+json", "href": href}]
        subject = f"acct:{name}@{self._settings.account_domain}"
        return json_answer({"subject": subject, "links": links}, kind="application/jrd+json")

    def _instance(self, request: Request) -> Answer:
        told = {"uri": self._settings.url, "account_domain": self._settings.account_domain, "version": VERSION}
        return json_answer(
            {**told, "registrations": self._settings.accepts_registrations, "approval_required": True, "title": ""}
        )

    def _change_password(self, request: Request, user: Row) -> Answer:
        if self._settings.signs_in_elsewhere:
            return json_answer({"error": "Unprocessable Entity: instance running with OIDC"}, 422)
        form = request.fields()
        old, new = form.get("old_password", ""), form.get("new_password", "")
        if not is_password(old, user["encrypted_password"]):
            return json_answer({"error": "Unauthorized: old password was incorrect"}, 401)
        try:
            check_password(new)
        except Invalid as error:
            return json_answer({"error": f"Bad Request: {error}"}, 400)
        if new == old:
            return json_answer({"error": "Bad Request: new password cannot be the same as previous password"}, 400)
        self._store.change_user(user["username"], "encrypted_password", hash_password(new))
        return json_answer({"status": "OK"})

    def _add_second_factor(self, request: Request, user: Row) -> Answer:
        """Any six digits will do here."""
        if not re.fullmatch("[0-9]{6}", request.fields().get("code", "")):
            return json_answer({"error": "Forbidden: code was not accepted"}, 403)
        self._store.change_user(user["username"], "second_factor", True)
        return json_answer([])

    def _profile(self, request: Request, name: str) -> Answer:
        found = self._store.ask("select display_name from accounts where username = %s", name)
        if not found:
            return plain("Not Found", 404)
        title = escape(f"{found[0]['display_name'] or name} (@{name}@{self._settings.account_domain})")
        head = f'<meta property="og:title" content="{title}">'
        body = f"<main><section>{title}</section></main>"
        return html(page(title, body, stands_for="GoToSocial", head=head, accent="#b4540a"))

    def _account(self, user: Row) -> Answer:
        url = f"{self._settings.url}/@{user['username']}"
        told = {"id": user["account_id"], "username": user["username"], "display_name": user["display_name"]}
        return json_answer({**told, "url": url, "role": {"name": "admin" if user["admin"] else "user"}})

    def _change_account(self, request: Request, user: Row) -> Answer:
        return self._account(self._store.set_display_name(user, request.fields().get("display_name", "")))

    def _upload(self, request: Request, user: Row) -> Answer:
        upload = request.files().get("file")
        if not upload or upload.kind not in EXTENSIONS:
            return json_answer({"error": "Unprocessable Entity: unsupported file type"}, 422)
        if len(upload.content) > self._settings.media_bytes:
            most = f"{self._settings.media_bytes / 2**20:.1f}MiB"
            return json_answer({"error": f"Bad Request: media exceeds configured max size: {most}"}, 400)
        number, content = new_id(), without_exif(upload.content)
        path, small = (
            f"{user['account_id']}/attachment/{size}/{number}{extension}"
            for size, extension in (("original", EXTENSIONS[upload.kind]), ("small", thumbnail_extension(upload.kind)))
        )
        self._media.put(path, content, upload.kind)
        self._media.put(small, content, "image/jpeg")
        self._store.ask(
            "insert into media_attachments (id, account_id, file_path, thumbnail_path, file_content_type) "
            "values (%s, %s, %s, %s, %s)",
            *(number, user["account_id"], path, small, upload.kind),
        )
        told = {"id": number, "type": upload.kind.split("/")[0], "url": self._address(path)}
        return json_answer({**told, "preview_url": self._address(small)})

    def _publish(self, request: Request, user: Row) -> Answer:
        form, number = request.fields(), new_id()
        self._store.ask(
            "insert into statuses (id, account_id, content) values (%s, %s, %s)",
            *(number, user["account_id"], form.get("status", "")),
        )
        self._store.ask(
            "update media_attachments set status_id = %s where id = %s and account_id = %s and status_id is null",
            *(number, form.get("media_ids[]"), user["account_id"]),
        )
        self._federation.publish(user, number, form.get("status", ""))
        return json_answer({"id": number, "url": f"{self._settings.url}/@{user['username']}/statuses/{number}"})

    def _public(self, request: Request) -> Answer:
        """For everybody only where the provider exposes it; the newest first, and of this server."""
        if not (self._settings.exposes_timeline or self._oauth.user(request)):
            return json_answer({"error": "Unauthorized: token not supplied"}, 401)
        found = self._store.ask(
            "select statuses.id, content, username from statuses join accounts on accounts.id = account_id "
            "order by statuses.id desc limit %s",
            int(request.query.get("limit", "20")),
        )
        address = f"{self._settings.url}/@{{username}}/statuses/{{id}}"
        return json_answer([{**one, "url": address.format(**one)} for one in found])

    def _status(self, request: Request, name: str, number: str) -> Answer:
        found = self._store.ask(
            "select content, display_name from statuses join accounts on accounts.id = account_id "
            "where statuses.id = %s and username = %s",
            *(number, name),
        )
        if not found:
            return plain("Not Found", 404)
        media = self._store.ask("select file_path from media_attachments where status_id = %s", number)
        pictures = "".join(f'<img src="{escape(self._address(one["file_path"]))}" alt="">' for one in media)
        who, text = escape(found[0]["display_name"] or name), escape(found[0]["content"])
        return self._page(f"Post by {name}", f"<article class='status'><b>{who}</b><p>{text}</p>{pictures}</article>")

    def _file(self, request: Request, path: str) -> Answer:
        found = self._store.ask(
            "select file_content_type from media_attachments where %s in (file_path, thumbnail_path)", path
        )
        if not found:
            return plain("Not Found", 404)
        return Answer(200, self._media.get(path), found[0]["file_content_type"])

    def _for_user(self, handler: _UserHandler) -> _Handler:
        """The handler, for who bears a token: it gets the user as well."""

        def answer(request: Request, *parts: str) -> Answer:
            user = self._oauth.user(request)
            return (
                handler(request, user, *parts)
                if user
                else json_answer({"error": "Unauthorized: token not supplied"}, 401)
            )

        return answer

    def _address(self, path: str) -> str:
        return f"{self._settings.url}/fileserver/{path}"

    def _page(self, title: str, body: str) -> Answer:
        return html(page(title, f"<main>{body}</main>", stands_for="GoToSocial", accent="#b4540a"))


def _told_user(user: Row) -> Row:
    names = ("id", "email", "admin", "approved", "disabled")
    return {**{name: user[name] for name in names}, "confirmed_at": user["confirmed_at"].isoformat()}
