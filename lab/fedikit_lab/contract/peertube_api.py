"""The REST API of PeerTube's stand-in, for its own pages and for administrators' programs."""

import re
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from .forms import ADDRESS
from .peertube_settings import Settings
from .peertube_store import ADMINISTRATOR, TOKEN_SECONDS, USER, Row, Store, Taken
from .peertube_videos import PRIVATE, PUBLIC, Videos, is_video, short_form
from .shared import Answer, Request, json_answer, plain
from .version import VERSION

_ROLES = {ADMINISTRATOR: "Administrator", 1: "Moderator", USER: "User"}
_NAME = re.compile(r"[a-z0-9_]+([a-z0-9_.-]+[a-z0-9_]+)?")
_LONGEST_NAME = 50
_LONGEST_DISPLAY_NAME = 120
_PASSWORD_LENGTHS = range(8, 51)
_LOGIN_RATE = (15, 300.0)
_API_RATE = (50, 10.0)
_Handler = Callable[..., Answer]


class RateLimit:
    """So many requests of one visitor in so many seconds, and no more."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._visits: defaultdict[str, deque[float]] = defaultdict(deque)

    def allows(self, visitor: str) -> bool:
        """Counts a visit; says whether it is still within the limit."""
        visits, now = self._visits[visitor], time.monotonic()
        while visits and visits[0] < now - self._seconds:
            visits.popleft()
        visits.append(now)
        return len(visits) <= self._most


class Api:
    """What is answered under /api/v1."""

    def __init__(self, settings: Settings, store: Store, videos: Videos) -> None:
        self._settings = settings
        self._store = store
        self._videos = videos
        self._logins = RateLimit(*_LOGIN_RATE)
        self._visits = RateLimit(*_API_RATE)

    def routes(self) -> dict[tuple[str, str], _Handler]:
        """The addresses that are answered; every one but ping counts against the visitor's rate."""
        limited: dict[tuple[str, str], _Handler] = {
            ("GET", "/api/v1/config"): self._config,
            ("GET", "/api/v1/oauth-clients/local"): self._client,
            ("POST", "/api/v1/users/token"): self._log_in,
            ("GET", "/api/v1/users"): self._for_administrator(self._list_users),
            ("POST", "/api/v1/users"): self._for_administrator(self._create_user),
            ("GET", "/api/v1/users/me"): self._for_user(lambda _, user: json_answer(_told_user(user))),
            ("PUT", "/api/v1/users/me"): self._for_user(self._change_own),
            ("PUT", "/api/v1/users/{id}"): self._for_administrator(self._change_user),
            ("DELETE", "/api/v1/users/{id}"): self._for_administrator(self._delete_user),
            ("GET", "/api/v1/videos"): lambda _: _listed(map(_told_video, self._videos.list())),
            ("POST", "/api/v1/videos/upload"): self._for_user(self._upload),
            ("PUT", "/api/v1/videos/{id}"): self._for_user(self._change_video),
            ("GET", "/api/v1/videos/{id}"): self._video,
        }
        counted = {route: self._counted(handler) for route, handler in limited.items()}
        return {("GET", "/api/v1/ping"): lambda _: plain("pong"), **counted}

    def _config(self, request: Request) -> Answer:
        signup = {"allowed": self._settings.accepts_registrations}
        return json_answer({"instance": {"name": self._settings.name}, "serverVersion": VERSION, "signup": signup})

    def _client(self, request: Request) -> Answer:
        if request.header("Host") != self._settings.host:
            return _problem(403, f"Getting client tokens for host {request.header('Host')} is forbidden")
        client = self._store.client()
        return json_answer({"client_id": client["clientId"], "client_secret": client["clientSecret"]})

    def _log_in(self, request: Request) -> Answer:
        if not self._logins.allows(request.visitor):
            return _problem(429, "Too many attempts, please try again later.")
        fields, client = request.fields(), self._store.client()
        if (fields.get("client_id"), fields.get("client_secret")) != (client["clientId"], client["clientSecret"]):
            return _problem(400, "Invalid client: client is invalid", "invalid_client")
        if fields.get("grant_type") != "password":
            return _problem(400, "Unsupported grant type: `grant_type` is invalid", "unsupported_grant_type")
        user = self._store.user_with_password(fields.get("username", ""), fields.get("password", ""))
        if not user:
            return _problem(400, "Invalid grant: user credentials are invalid", "invalid_grant")
        tokens = self._store.begin_session(user["id"])
        return json_answer({"token_type": "Bearer", "expires_in": TOKEN_SECONDS, **tokens})

    def _list_users(self, request: Request, user: Row) -> Answer:
        pattern = f"%{request.query.get('search', '')}%"
        statement = 'select * from "user" where username ilike %s or email ilike %s order by id desc'
        return _listed(map(_told_user, self._store.ask(statement, pattern, pattern)))

    def _create_user(self, request: Request, user: Row) -> Answer:
        given: Any = request.json() or {}
        name = given.get("username", "")
        wanted = {"role": USER, "videoQuota": -1, "channelName": f"{name}_channel", **given}
        wrong = _wrong_fields(wanted)
        if wrong:
            return _problem(400, f"Incorrect request parameters: {', '.join(wrong)}")
        try:
            number = self._store.create_user(wanted)
        except Taken:
            return _problem(409, "User with this username, channel name or email already exists.")
        return json_answer({"user": {"id": number, "account": {"name": name}}})

    def _change_user(self, request: Request, user: Row, number: str) -> Answer:
        given: Any = request.json() or {}
        if not self._known_user(number):
            return _problem(404, "User not found")
        wrong = [field for field in _wrong_fields(given) if field in given]
        if wrong:
            return _problem(400, f"Incorrect request parameters: {', '.join(wrong)}")
        self._store.change_user(int(number), given)
        return Answer(204)

    def _change_own(self, request: Request, user: Row) -> Answer:
        given: Any = request.json() or {}
        name = given.get("displayName", user["displayName"])
        if name is not None and not 1 <= len(name) <= _LONGEST_DISPLAY_NAME:
            return _problem(400, "Incorrect request parameters: displayName")
        self._store.change_user(user["id"], {"displayName": name})
        return Answer(204)

    def _delete_user(self, request: Request, user: Row, number: str) -> Answer:
        found = self._known_user(number)
        if not found:
            return _problem(404, "User not found")
        if found["username"] == "root":
            return _problem(400, "Cannot delete the root user")
        self._store.ask('delete from "user" where id = %s', number)
        return Answer(204)

    def _known_user(self, number: str) -> Row | None:
        found = self._store.ask('select * from "user" where id = %s', number) if number.isdigit() else []
        return found[0] if found else None

    def _upload(self, request: Request, user: Row) -> Answer:
        upload, fields = request.files().get("videofile"), request.fields()
        if upload is None or not is_video(upload) or not fields.get("name"):
            return _problem(400, "Incorrect request parameters: videofile, name")
        number = self._videos.add(user, fields["name"], int(fields.get("privacy", PRIVATE)), upload)
        return json_answer({"video": {"uuid": number, "shortUUID": short_form(number)}})

    def _change_video(self, request: Request, user: Row, number: str) -> Answer:
        given: Any = request.json() or {}
        video = self._videos.find(number)
        if not video or user["id"] != video["userId"]:
            return _problem(404, "Video not found")
        changed = {"name": video["name"], "privacy": video["privacy"], **given}
        self._store.ask(
            "update video set name = %s, privacy = %s where id = %s", changed["name"], changed["privacy"], video["id"]
        )
        return Answer(204)

    def _video(self, request: Request, number: str) -> Answer:
        video = self._videos.find(number)
        user = self._user(request)
        if not video or (video["privacy"] != PUBLIC and (not user or user["id"] != video["userId"])):
            return _problem(404, "Video not found")
        return json_answer(_told_video(video))

    def _for_user(self, handler: _Handler) -> _Handler:
        """The handler, for who bears a token: it gets the user as well."""

        def answer(request: Request, *parts: str) -> Answer:
            user = self._user(request)
            return handler(request, user, *parts) if user else _problem(401, "Unauthorized", "invalid_token")

        return answer

    def _for_administrator(self, handler: _Handler) -> _Handler:
        def answer(request: Request, user: Row, *parts: str) -> Answer:
            if user["role"] != ADMINISTRATOR:
                return _problem(403, "You do not have the rights to do this.")
            return handler(request, user, *parts)

        return self._for_user(answer)

    def _counted(self, handler: _Handler) -> _Handler:
        """The handler within the visitor's rate; administrators have none."""

        def answer(request: Request, *parts: str) -> Answer:
            user = self._user(request)
            if not (user and user["role"] == ADMINISTRATOR) and not self._visits.allows(request.visitor):
                return _problem(429, "Too many requests, please try again later.")
            return handler(request, *parts)

        return answer

    def _user(self, request: Request) -> Row | None:
        kind, _, token = request.header("Authorization").partition(" ")
        return self._store.user_of_token(token) if kind == "Bearer" else None


def _problem(status: int, detail: str, code: str = "") -> Answer:
    """An error as RFC 7807 has it, which is how upstream tells them."""
    told = {
        "type": "about:blank",
        "status": status,
        "detail": detail,
        "error": detail,
        **({"code": code} if code else {}),
    }
    return json_answer(told, status, "application/problem+json")


def _listed(rows: Any) -> Answer:
    data = list(rows)
    return json_answer({"total": len(data), "data": data})


def _wrong_fields(given: Row) -> list[str]:
    name, channel = given.get("username", ""), given.get("channelName", "")
    checks = {
        "username": len(name) <= _LONGEST_NAME and bool(_NAME.fullmatch(name)),
        "password": len(given.get("password", "")) in _PASSWORD_LENGTHS,
        "email": ADDRESS.fits(given.get("email", "")),
        "role": given.get("role") in _ROLES,
        "videoQuota": isinstance(given.get("videoQuota"), int) and given["videoQuota"] >= -1,
        "channelName": bool(_NAME.fullmatch(channel)) and channel != name,
    }
    return [field for field, is_right in checks.items() if not is_right]


def _told_user(user: Row) -> Row:
    return {
        "id": user["id"],
        "username": user["username"],
        "email": user["email"],
        "role": {"id": user["role"], "label": _ROLES[user["role"]]},
        "videoQuota": user["videoQuota"],
        "account": {"name": user["username"], "displayName": user["displayName"] or user["username"]},
        "videoChannels": [{"id": user["id"], "name": user["channelName"]}],
    }


def _told_video(video: Row) -> Row:
    states = {1: "Published", 6: "Waiting to be moved to an external storage"}
    files = [{"fileUrl": video["fileUrl"]}] if video["fileUrl"] else []
    return {
        "id": video["id"],
        "uuid": str(video["uuid"]),
        "shortUUID": short_form(str(video["uuid"])),
        "name": video["name"],
        "privacy": {"id": video["privacy"]},
        "state": {"id": video["state"], "label": states[video["state"]]},
        "account": {"name": video["username"], "displayName": video["username"]},
        "files": files,
    }
