"""Users in the REST API of PeerTube's stand-in: what administrators and they themselves may ask and change."""

import re
from operator import itemgetter
from typing import Any

from .forms import ADDRESS
from .peertube_doors import Doors, Routes, paged, problem, wrong_parameters
from .peertube_settings import Settings
from .peertube_store import ADMINISTRATOR, USER, Store, Taken
from .shared import Answer, Request, json_answer
from .tables import Row

_ROLES = {ADMINISTRATOR: "Administrator", 1: "Moderator", USER: "User"}
_NAME = re.compile(r"[a-z0-9_]+([a-z0-9_.-]+[a-z0-9_]+)?")
_LONGEST_NAME, _LONGEST_DISPLAY_NAME = 50, 120
_PASSWORD_LENGTHS, _MOST_PASSWORD_BYTES = range(8, 51), 72
_ORDERS = ("id", "username", "createdAt", "role")
_CHANGEABLE = ("email", "password", "role", "videoQuota", "videoQuotaDaily", "emailVerified")


class Users:
    """What is answered under /api/v1/users that is not about signing in or up."""

    def __init__(self, settings: Settings, store: Store, doors: Doors) -> None:
        self._settings = settings
        self._store = store
        self._doors = doors

    def routes(self) -> Routes:
        doors = self._doors
        return {
            ("GET", "/api/v1/users"): doors.for_administrator(self._list),
            ("POST", "/api/v1/users"): doors.for_administrator(self._create),
            ("GET", "/api/v1/users/me"): doors.for_user(lambda _, user: json_answer(told_user(user))),
            ("PUT", "/api/v1/users/me"): doors.for_user(self._change_own),
            ("PUT", "/api/v1/users/{id}"): doors.for_administrator(self._change),
            ("DELETE", "/api/v1/users/{id}"): doors.for_administrator(self._delete),
        }

    def _list(self, request: Request, user: Row) -> Answer:
        pattern = f"%{request.query.get('search', '')}%"
        sort = request.query.get("sort", "-createdAt")
        order = sort.removeprefix("-")
        if order not in _ORDERS:
            return wrong_parameters(["sort"])
        found = self._store.ask('select * from "user" where username ilike %s or email ilike %s', pattern, pattern)
        found.sort(key=itemgetter(order), reverse=sort.startswith("-"))
        return paged(request, [{**told_user(one), "videoChannels": []} for one in found])

    def _create(self, request: Request, user: Row) -> Answer:
        given: Any = request.json() or {}
        quotas = dict(zip(("videoQuota", "videoQuotaDaily"), self._settings.quotas, strict=True))
        wanted = {"role": USER, "emailVerified": None, **quotas, **given}
        if wrong := wrong_fields(wanted):
            return wrong_parameters(wrong)
        if wanted.get("channelName") == wanted["username"]:
            return problem(400, "Channel name cannot be the same as user username.")
        try:
            added = self._store.create_user(wanted)
        except Taken:
            return problem(409, "User with this username, channel name or email already exists.")
        return json_answer({"user": {"id": added["id"], "account": {"id": added["id"]}}})

    def _change(self, request: Request, user: Row, number: str) -> Answer:
        given: Any = request.json() or {}
        changed = self._known_user(number)
        if not changed:
            return problem(404, "User not found")
        if wrong := [field for field in wrong_fields(given) if field in given]:
            return wrong_parameters(wrong)
        if changed["username"] == "root" and given.get("role", changed["role"]) != changed["role"]:
            return problem(400, "Cannot change root role.")
        email = given.get("email", changed["email"])
        if email != changed["email"] and self._store.ask('select id from "user" where lower(email) = lower(%s)', email):
            return problem(409, "User with this email already exists.")
        kept = {name: given[name] for name in _CHANGEABLE if name in given}
        if kept:
            self._store.change_user(int(number), kept)
        return Answer(204)

    def _change_own(self, request: Request, user: Row) -> Answer:
        given: Any = request.json() or {}
        name = given.get("displayName", user["displayName"])
        if name is not None and not 1 <= len(name) <= _LONGEST_DISPLAY_NAME:
            return wrong_parameters(["displayName"])
        self._store.change_user(user["id"], {"displayName": name})
        return Answer(204)

    def _delete(self, request: Request, user: Row, number: str) -> Answer:
        found = self._known_user(number)
        if not found:
            return problem(404, "User not found")
        if found["username"] == "root":
            return problem(400, "Cannot remove the root user")
        self._store.ask('delete from "user" where id = %s', number)
        return Answer(204)

    def _known_user(self, number: str) -> Row | None:
        found = self._store.ask('select * from "user" where id = %s', number) if number.isdigit() else []
        return found[0] if found else None


def wrong_fields(given: Row) -> list[str]:
    """The names of what upstream would not take."""
    name = given.get("username", "")
    quotas = [given.get(quota, -1) for quota in ("videoQuota", "videoQuotaDaily")]
    checks = {
        "username": is_name(name),
        "password": is_password_allowed(given.get("password", "")),
        "email": ADDRESS.fits(given.get("email", "")),
        "role": given.get("role") in _ROLES,
        "videoQuota": all(isinstance(quota, int) and quota >= -1 for quota in quotas),
        "channelName": is_name(given.get("channelName", "channel")),
    }
    return [field for field, is_right in checks.items() if not is_right]


def is_name(name: str) -> bool:
    """Whether an account or a channel may be called so."""
    return len(name) <= _LONGEST_NAME and bool(_NAME.fullmatch(name))


def is_password_allowed(password: str) -> bool:
    return len(password) in _PASSWORD_LENGTHS and len(password.encode()) <= _MOST_PASSWORD_BYTES


def told_user(user: Row) -> Row:
    """A user as the API tells of them."""
    return {
        "id": user["id"],
        "username": user["username"],
        "email": user["email"],
        "emailVerified": user["emailVerified"],
        "role": {"id": user["role"], "label": _ROLES[user["role"]]},
        "videoQuota": user["videoQuota"],
        "videoQuotaDaily": user["videoQuotaDaily"],
        "twoFactorEnabled": bool(user["otpSecret"]),
        "account": {"name": user["username"], "displayName": user["displayName"] or user["username"]},
        "videoChannels": [{"id": user["id"], "name": user["channelName"]}],
    }
