"""Looks whether a bucket can be used: an object is put, read back as the application and as a browser, and deleted."""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Thread

from fedikit.agent.signature import Access, signed_headers
from fedikit.errors import FedikitError
from fedikit.model.check import TRIAL_FOLDER, BucketWorks
from fedikit.verify.means import Means
from fedikit.verify.page import Page
from fedikit.verify.standpoint import Answer, Request, Send
from fedikit.verify.words import OutOfTime, Unmet

_PATIENCE = 5.0
_LEAST_PATIENCE = 0.1
_CLEARING_SECONDS = 0.8
"""What deleting may take when the deadline is over; verifying waits that long."""


def put_and_read(check: BucketWorks, means: Means) -> str:
    """What becomes of an object of its own. Raises Unmet if it does not come back everywhere."""
    token = secrets.token_hex(16)
    with means.stand(check.host) as send:
        if time.monotonic() > means.ends:
            raise OutOfTime(wanted=f"a way to {check.host} in time", seen="it took too long")
        trial = _Trial(
            check, _access(check, means), send, f"{TRIAL_FOLDER}/{token}", f"put here by a check: {token}".encode()
        )
        with trial.put(means.ends):
            trial.read(means.ends)
            url = trial.visit(means) if check.public_host else ""
    return "put, read back" + (f", seen at {url}" if url else "") + ", deleted"


def _access(check: BucketWorks, means: Means) -> Access:
    key_id = check.key_id if isinstance(check.key_id, str) else means.vault.value(check.key_id)
    return Access(check.endpoint, check.region, key_id, means.vault.value(check.key_secret))


@dataclass(frozen=True)
class _Trial:
    """One object on its way."""

    check: BucketWorks
    access: Access
    send: Send
    key: str
    body: bytes

    @contextmanager
    def put(self, ends: float) -> Iterator[None]:
        """Puts the object, and deletes it at the end, whatever happened."""
        try:
            self._put(ends)
            yield
        except BaseException:
            with suppress(Unmet, FedikitError):  # what went wrong before is what matters
                self._delete(ends)
            raise
        self._expect_success(self._delete(ends), "deletes it again")

    def _put(self, ends: float) -> None:
        answer = self._ask("PUT", _until(ends), self.body)
        if answer.status == 403 and self._ask("GET", _until(ends)).status == 404:  # the key is known, and may look
            raise Unmet(
                wanted=f"a bucket {self.check.bucket} that takes an object",
                seen=f"it lets the application's key read, not write: {_code(answer)}; is it full?",
            )
        self._expect_success(answer, "takes an object")

    def read(self, ends: float) -> None:
        """Reads it back with the application's key."""
        answer = self._ask("GET", _until(ends))
        self._expect_success(answer, "gives it back")
        if answer.body != self.body:
            raise Unmet(wanted=f"bucket {self.check.bucket} to give back what was put", seen="something else")

    def visit(self, means: Means) -> str:
        """Reads it where everybody may; returns the host's address."""
        wanted, url = f"the object of bucket {self.check.bucket}", f"{self.check.public_url}/{self.key}"
        visitor, seconds = means.visitor, _until(means.ends)
        page = _in_time(lambda: replace(visitor, patience=seconds).follow(url), wanted=wanted, seconds=seconds)
        if page.status != 200:
            raise Unmet(wanted=wanted, seen=f"HTTP {page.status} from {url}")
        if page.body != self.body:
            raise Unmet(wanted=wanted, seen=f"something else at {url}")
        return self.check.public_url

    def _delete(self, ends: float) -> Answer:
        return self._ask("DELETE", max(_CLEARING_SECONDS, _until(ends)))

    def _ask(self, verb: str, seconds: float, body: bytes = b"") -> Answer:
        path = f"/{self.check.bucket}/{self.key}"
        headers = signed_headers(self.access, f"{verb} {path}", body)
        return self.send(Request(self.access.address, verb, path, headers, body), seconds)

    def _expect_success(self, answer: Answer, does: str) -> None:
        if not 200 <= answer.status < 300:
            refusal = "the bucket refuses the application's key: " if answer.status in (401, 403) else ""
            raise Unmet(wanted=f"a bucket {self.check.bucket} that {does}", seen=refusal + _code(answer))


def _code(answer: Answer) -> str:
    """The code of an answer that is no success. The rest of its text may repeat what was sent, such as the key's id."""
    code = re.search(rb"<Code>([A-Za-z0-9.]{1,60})</Code>", answer.body)
    return code[1].decode() if code else f"HTTP {answer.status}"


def _in_time(look: Callable[[], Page], *, wanted: str, seconds: float) -> Page:
    """A page, or Unmet in time to delete the object yet: a visitor is patient with each of his steps."""
    seen: SimpleQueue[Page | Exception] = SimpleQueue()

    def note() -> None:
        try:
            seen.put(look())
        except Exception as error:
            seen.put(error)

    Thread(target=note, daemon=True).start()
    try:
        result = seen.get(timeout=seconds + _LEAST_PATIENCE)
    except Empty:
        raise Unmet(wanted=wanted, seen="no answer in time") from None
    if isinstance(result, Exception):
        raise result
    return result


def _until(ends: float) -> float:
    return max(_LEAST_PATIENCE, min(_PATIENCE, ends - time.monotonic()))
