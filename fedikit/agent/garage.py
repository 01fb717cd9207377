"""Garage's admin API, version 2, as of Garage 2.5: buckets, their keys, and who may do what.

Each call takes some 20 ms, for Garage hashes the token anew.
"""

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from .exchange import Answer, ask
from .eyes import Eyes
from .trouble import Trouble
from .walk import Barred

Item = dict[str, Any]
Record = dict[str, Any]
T = TypeVar("T")
LOOK_SECONDS = 5
CALL_SECONDS = 60
PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.5
MOST_BUCKETS = 100_000
RIGHTS = {"read": True, "write": True, "owner": True}


class NotReady(Exception):
    """Garage cannot be asked now. Says so in words that stay the same from one question to the next.

    detail  what the attempt itself said
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class Silent(NotReady):
    """Nothing answers at its address, or not in time."""


class Refused(Trouble):
    """Garage understood, and says no; `reason` is its own word for it, such as NoSuchBucket."""

    def __init__(self, call: str, reason: str, message: str) -> None:
        super().__init__(f"Garage refuses {call}: {message}")
        self.reason = reason


class Garage:
    """One node of Garage, asked by its admin address; `seconds` is how long each answer may take."""

    def __init__(self, admin: str, token: str, *, seconds: float = CALL_SECONDS) -> None:
        self.admin = admin
        self._token = token
        self._seconds = seconds

    @classmethod
    def of(cls, eyes: Eyes, item: Item, *, seconds: float = CALL_SECONDS) -> "Garage":
        """The Garage that an item lies in; raises NotReady where its token is not there."""
        try:
            token = eyes.read(item["token_file"]).decode(errors="replace").strip()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotReady(f"there is no {item['token_file']}, which Garage is asked with") from error
        except Barred as barred:
            raise NotReady(f"the token that Garage is asked with cannot be read: {barred.message}") from barred
        return cls(item["admin"], token, seconds=seconds)

    # Questions

    def buckets(self) -> dict[str, Record]:
        """All about all buckets, by each of their global names, in one call."""
        return {name: bucket for bucket in self.all_buckets() for name in bucket["globalAliases"]}

    def all_buckets(self) -> list[Record]:
        """All about all buckets, also of those without a global name."""
        found: list[Record] = self.call("ListBucketsInfo", f"limit={MOST_BUCKETS}")
        return found

    def key_names(self) -> list[str]:
        """What all keys are called."""
        return [str(key["name"]) for key in self.call("ListKeys")]

    def bucket(self, name: str) -> Record | None:
        """All about a bucket, by any of its global names."""
        return self._find("GetBucketInfo", f"globalAlias={name}", {"NoSuchBucket"})

    def key(self, key_id: str) -> Record | None:
        """All about a key, with its secret."""
        return self._find("GetKeyInfo", f"id={key_id}&showSecretKey=true", {"NoSuchAccessKey"})

    def key_ids(self, beginning: str) -> list[str]:
        """The keys whose names begin so."""
        return [key["id"] for key in self.call("ListKeys") if key["name"].startswith(beginning)]

    def _find(self, call: str, query: str, absent: set[str]) -> Record | None:
        try:
            found: Record = self.call(call, query)
        except Refused as refusal:
            if refusal.reason in absent:
                return None
            raise
        return found

    # Acts

    def make_bucket(self, name: str) -> Record:
        made: Record = self.call("CreateBucket", body={"globalAlias": name})
        return made

    def make_key(self, name: str) -> str:
        """Makes a key with an id and a secret of Garage's own choice; returns its id."""
        return str(self.call("CreateKey", body={"name": name})["accessKeyId"])

    def import_key(self, key_id: str, secret: str, name: str) -> None:
        self.call("ImportKey", body={"accessKeyId": key_id, "secretAccessKey": secret, "name": name})

    def rename_key(self, key_id: str, name: str) -> None:
        self.call("UpdateKey", f"id={key_id}", body={"name": name})

    def delete_key(self, key_id: str) -> None:
        self.call("DeleteKey", f"id={key_id}", body={})

    def allow(self, bucket: Record, key_id: str) -> None:
        self.call("AllowBucketKey", body={"bucketId": bucket["id"], "accessKeyId": key_id, "permissions": RIGHTS})

    def deny(self, bucket: Record, key_id: str) -> None:
        self.call("DenyBucketKey", body={"bucketId": bucket["id"], "accessKeyId": key_id, "permissions": RIGHTS})

    def name(self, bucket: Record, alias: str) -> None:
        self.call("AddBucketAlias", body={"bucketId": bucket["id"], "globalAlias": alias})

    def unname(self, bucket: Record, alias: str) -> None:
        self.call("RemoveBucketAlias", body={"bucketId": bucket["id"], "globalAlias": alias})

    def update_bucket(self, bucket: Record, settings: Record) -> None:
        self.call("UpdateBucket", f"id={bucket['id']}", body=settings)

    def drop_unfinished_uploads(self, bucket: Record) -> None:
        self.call("CleanupIncompleteUploads", body={"bucketId": bucket["id"], "olderThanSecs": 0})

    def delete_bucket(self, bucket: Record) -> None:
        """Also forgets its names; it must be empty."""
        self.call("DeleteBucket", f"id={bucket['id']}", body={})

    def call(self, call: str, query: str = "", body: Record | list[str] | None = None) -> Any:
        """One call: POST if it has a body. Raises NotReady if Garage cannot do it now, Refused if it will not."""
        verb, content = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
        request = f"{verb} /v2/{call}?{query}" if query else f"{verb} /v2/{call}"
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            answer = ask(self.admin, request, headers=headers, body=content, seconds=self._seconds)
        except OSError as error:
            raise Silent(f"Garage does not answer at {self.admin}", error.strerror or str(error)) from error
        if answer.status < 300:
            return _understood(answer.body, self.admin)
        raise self._refusal(call, answer, [_key_in(body), *query.split("&")])

    def _refusal(self, call: str, answer: Answer, private: list[str]) -> Exception:
        """What an answer means that is not a success. Key ids stay out of it: they belong to the secret."""
        try:
            told = json.loads(answer.body)
            reason, message = str(told["code"]), str(told["message"])
        except (ValueError, KeyError, TypeError, RecursionError):
            reason, message = "", f"HTTP status {answer.status}"
        for value in filter(None, private):
            message = message.replace(value.removeprefix("id="), "…")
        if answer.status >= 500:
            return NotReady(f"Garage is not ready at {self.admin}", message)
        if answer.status in (401, 403):
            return NotReady(f"Garage at {self.admin} does not take the token", message)
        return Refused(call, reason, message)


def _key_in(body: Record | list[str] | None) -> str:
    return str(body.get("accessKeyId", "")) if isinstance(body, dict) else ""


def _understood(body: bytes, admin: str) -> Any:
    try:
        return json.loads(body or b"null")
    except (ValueError, RecursionError) as error:
        raise NotReady(f"what answers at {admin} is not Garage") from error


def look(eyes: Eyes, item: Item, question: Callable[[Garage], T]) -> T:
    """What the Garage of an item tells now; raises NotReady. Whoever was silent is not asked again by these eyes."""
    if silent := eyes.silent.get(item["admin"]):
        raise silent
    try:
        return question(Garage.of(eyes, item, seconds=LOOK_SECONDS))
    except Silent as silence:
        eyes.silent[item["admin"]] = silence
        raise


def wait_for(
    eyes: Eyes, item: Item, question: Callable[[Garage], object], *, seconds: float = PATIENCE_SECONDS
) -> Garage:
    """The Garage of an item as soon as it answers the question; trouble if that takes too long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            garage = Garage.of(eyes, item)
            question(garage)
        except NotReady as reason:
            if time.monotonic() > deadline:
                raise _overdue(reason, seconds) from reason
            time.sleep(PAUSE_SECONDS)
        else:
            return garage


def _overdue(reason: NotReady, seconds: float) -> Trouble:
    detail = f" ({reason.detail})" if reason.detail else ""
    return Trouble(
        f"{reason}, waited {seconds:.0f} s for it{detail}",
        hint="see whether Garage runs on this host, has a layout, and was started with the token that is there now",
    )
