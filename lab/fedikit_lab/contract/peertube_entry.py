"""How people get into PeerTube's stand-in: they sign up, sign in, and may ask for a second factor."""

import base64
import hashlib
import hmac
import secrets
import struct
import time
from typing import Any

from .peertube_doors import Doors, RateLimit, Routes, paged, problem, wrong_parameters
from .peertube_settings import Settings
from .peertube_store import REFRESH_SECONDS, TOKEN_SECONDS, USER, Store, Taken
from .peertube_users import wrong_fields
from .shared import Answer, Request, hash_password, is_password, json_answer
from .tables import Row

_LOGIN_RATE = (15, 300.0)
_SIGNUP_RATE = (2, 300.0)
_PENDING, _ACCEPTED = 1, 3
_SHORTEST_REASON = 2
_STEP_SECONDS = 30


class Entry:
    """Tokens, registrations and second factors."""

    def __init__(self, settings: Settings, store: Store, doors: Doors) -> None:
        self._settings = settings
        self._store = store
        self._doors = doors
        self._requested: dict[str, tuple[int, str]] = {}

    def routes(self) -> Routes:
        doors, users = self._doors, "/api/v1/users"
        return {
            ("GET", "/api/v1/oauth-clients/local"): self._client,
            ("POST", f"{users}/token"): doors.at_rate(self._log_in, RateLimit(*_LOGIN_RATE)),
            ("POST", f"{users}/revoke-token"): doors.for_user(self._log_out),
            ("POST", f"{users}/register"): doors.at_rate(self._register, RateLimit(*_SIGNUP_RATE)),
            ("GET", f"{users}/registrations"): doors.for_administrator(self._registrations),
            ("POST", f"{users}/registrations/{{id}}/accept"): doors.for_administrator(self._accept),
            ("POST", f"{users}/{{id}}/two-factor/request"): doors.for_themselves(self._request_factor),
            ("POST", f"{users}/{{id}}/two-factor/confirm-request"): doors.for_themselves(self._confirm_factor),
        }

    # Signing in

    def _client(self, request: Request) -> Answer:
        if request.header("Host") != self._settings.host:
            return problem(403, f"Getting client tokens for host {request.header('Host')} is forbidden")
        client = self._store.client()
        return json_answer({"client_id": client["clientId"], "client_secret": client["clientSecret"]})

    def _log_in(self, request: Request) -> Answer:
        fields, client = request.fields(), self._store.client()
        if (fields.get("client_id"), fields.get("client_secret")) != (client["clientId"], client["clientSecret"]):
            return problem(400, "Invalid client: client is invalid", "invalid_client")
        if fields.get("grant_type") != "password":
            return problem(400, "Unsupported grant type: `grant_type` is invalid", "unsupported_grant_type")
        name, password = fields.get("username", ""), fields.get("password", "")
        found = self._store.ask('select * from "user" where lower(%s) in (lower(username), lower(email))', name)
        if not found or not is_password(password, found[0]["password"]):
            return self._refused(name)
        return self._factor(request, found[0]) or self._let_in(found[0])

    def _refused(self, name: str) -> Answer:
        statement = 'select state from "userRegistration" where lower(%s) in (lower(username), lower(email))'
        waiting = [row["state"] for row in self._store.ask(statement, name)]
        if waiting == [_PENDING]:
            return problem(400, "Registration for this account is awaiting approval", "account_waiting_for_approval")
        return problem(400, "Invalid grant: user credentials are invalid", "invalid_grant")

    def _factor(self, request: Request, user: Row) -> Answer | None:
        """What is wrong with the second factor of who has one."""
        given = request.header("x-peertube-otp")
        if not user["otpSecret"]:
            return None
        if not given:
            wanted = problem(401, "Missing two factor header", "missing_two_factor")
            return wanted.having(("x-peertube-otp", "required; app"))
        return None if given == code_of(user["otpSecret"]) else problem(400, "Invalid two factor", "invalid_two_factor")

    def _let_in(self, user: Row) -> Answer:
        if self._settings.signup.requires_email_verification and user["emailVerified"] is False:
            return problem(400, "User email is not verified.", "email_not_verified")
        ends = {"expires_in": TOKEN_SECONDS, "refresh_token_expires_in": REFRESH_SECONDS}
        return json_answer({"token_type": "Bearer", **self._store.begin_session(user["id"]), **ends})

    def _log_out(self, request: Request, user: Row) -> Answer:
        self._store.end_session(request.header("Authorization").partition(" ")[2])
        return json_answer({"success": True})

    # Signing up

    def is_open(self) -> bool:
        """Whether there is still room for somebody."""
        signup = self._settings.signup
        return signup.enabled and (signup.limit == -1 or self._store.count_users() < signup.limit)

    def _register(self, request: Request) -> Answer:
        signup, given = self._settings.signup, request.json() or {}
        if not self.is_open():
            reason = "User limit is reached on this instance" if signup.enabled else "User registration is not allowed"
            return problem(403, reason)
        quotas = dict(zip(("videoQuota", "videoQuotaDaily"), self._settings.quotas, strict=True))
        unverified = False if signup.requires_email_verification else None
        wanted = {"role": USER, "emailVerified": unverified, **quotas, **self._asked(given)}
        if wrong := wrong_fields(wanted):
            return wrong_parameters(wrong)
        if self._store.is_taken(wanted["username"]):
            return problem(409, "User with this username, channel name or email already exists.")
        return self._put_on_list(wanted, given) if signup.requires_approval else self._add(wanted)

    def _asked(self, given: Any) -> Row:
        return {name: given[name] for name in ("username", "password", "email") if name in given}

    def _put_on_list(self, wanted: Row, given: Any) -> Answer:
        reason = given.get("registrationReason", "")
        if len(reason) < _SHORTEST_REASON:
            return wrong_parameters(["registrationReason"])
        added = self._store.ask(
            'insert into "userRegistration" (username, email, password, "registrationReason", "emailVerified") '
            "values (%s, %s, %s, %s, %s) on conflict do nothing returning id, username, state",
            *(wanted["username"], wanted["email"], hash_password(wanted["password"]), reason, wanted["emailVerified"]),
        )
        return json_answer(added[0]) if added else problem(409, "Such a registration is waiting already.")

    def _add(self, wanted: Row) -> Answer:
        try:
            self._store.create_user(wanted)
        except Taken:
            return problem(409, "User with this username, channel name or email already exists.")
        return json_answer({"state": {"id": _ACCEPTED, "label": "Accepted"}})

    def _registrations(self, request: Request, user: Row) -> Answer:
        return paged(request, self._store.ask('select id, username, state from "userRegistration" order by id'))

    def _accept(self, request: Request, user: Row, number: str) -> Answer:
        found = self._store.ask('select * from "userRegistration" where id = %s and state = %s', number, _PENDING)
        if not found:
            return problem(404, "userRegistration not found")
        quotas = dict(zip(("videoQuota", "videoQuotaDaily"), self._settings.quotas, strict=True))
        self._store.create_user({**found[0], "hash": found[0]["password"], "role": USER, **quotas})
        self._store.ask('update "userRegistration" set state = %s where id = %s', _ACCEPTED, number)
        return Answer(204)

    # Second factors (RFC 6238)

    def _request_factor(self, request: Request, user: Row) -> Answer:
        secret, token = base64.b32encode(secrets.token_bytes(20)).decode(), secrets.token_hex(16)
        self._requested[token] = user["id"], secret
        return json_answer({"otpRequest": {"requestToken": token, "secret": secret, "uri": f"otpauth://totp/{secret}"}})

    def _confirm_factor(self, request: Request, user: Row) -> Answer:
        given: Any = request.json() or {}
        number, secret = self._requested.pop(given.get("requestToken", ""), (0, ""))
        if number != user["id"] or given.get("otpToken") != code_of(secret):
            return problem(403, "Invalid OTP token")
        self._store.change_user(number, {"otpSecret": secret})
        return Answer(204)


def code_of(secret: str) -> str:
    """The six digits that a second factor shows just now."""
    step = struct.pack(">Q", int(time.time()) // _STEP_SECONDS)
    digest = hmac.new(base64.b32decode(secret), step, hashlib.sha1).digest()
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"
