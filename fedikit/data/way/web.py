"""A repository that is reached over the web: by restic's own REST protocol, or over S3. Only asked, never told."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote
from xml.etree import ElementTree

import httpx

from fedikit.agent.signature import Access, signed_headers
from fedikit.data.way.gate import LISTED
from fedikit.data.way.source import PIECE, counted, place_of

SECONDS = 60
MOST_BYTES = 128 << 20
"""What a server may say in one answer that is no file: a listing of a million names."""
_NO_ANSWER = (ArithmeticError, KeyError, RecursionError, TypeError, ValueError)
"""What comes of reading what is none."""
_NOBODY = httpx.Auth()
_AS_IT_IS = {"Accept-Encoding": "identity"}
"""What is encrypted does not get smaller, and who packs it gives other bytes than those that were asked for."""


class RestSource:
    """A repository on a REST server."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self._address = address.rstrip("/")
        self._client = httpx.Client(headers=_AS_IT_IS, timeout=SECONDS, auth=(user, password) if user else _NOBODY)

    def sizes(self, kind: str) -> dict[str, int]:
        with _told_as_trouble():
            with self._client.stream("GET", f"{self._address}/{kind}/", headers={"Accept": LISTED}) as answer:
                _require(answer, 200)
                listed = json.loads(_whole(answer)) or ()
            return counted((str(entry["name"]), int(entry["size"])) for entry in listed)

    def size(self, path: str) -> int | None:
        with _told_as_trouble():
            answer = self._client.head(f"{self._address}/{path}")
            if answer.status_code == 404:
                return None
            _require(answer, 200)
            return int(answer.headers["Content-Length"])

    def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
        asked = {"Range": f"bytes={start}-{start + length - 1}"} if length else {}
        with _told_as_trouble(), self._client.stream("GET", f"{self._address}/{path}", headers=asked) as answer:
            _require(answer, 206)
            yield from _so_many(answer.iter_raw(PIECE), length)

    def close(self) -> None:
        self._client.close()


class S3Source:
    """A repository in a bucket; `folder` is its prefix there. The region is what the server says it is."""

    def __init__(self, access: Access, bucket: str, folder: str) -> None:
        self._access = access
        self._bucket, self._folder = bucket, folder
        self._client = httpx.Client(headers=_AS_IT_IS, timeout=SECONDS)

    def sizes(self, kind: str) -> dict[str, int]:
        with _told_as_trouble():
            return counted(self._listed(kind))

    def _listed(self, kind: str) -> Iterator[tuple[str, int]]:
        before = more = ""
        while True:
            page = self._page(f"{self._folder}/{kind}/", more)
            for entry in page.iterfind("{*}Contents"):
                yield _text(entry, "Key").rpartition("/")[2], int(_text(entry, "Size"))
            before, more = more, _text(page, "NextContinuationToken")
            if not more:
                return
            if more == before:
                raise ValueError("its listing has no end")

    def _page(self, prefix: str, more: str) -> ElementTree.Element:
        asked = {
            "list-type": "2",
            "max-keys": "1000",
            "prefix": prefix,
            **({"continuation-token": more} if more else {}),
        }
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(asked.items()))
        with self._asked("GET", f"/{self._bucket}?{query}") as answer:
            _require(answer, 200)
            return ElementTree.fromstring(_whole(answer))  # noqa: S314 - no more than a limit, and expat has its own

    def size(self, path: str) -> int | None:
        with _told_as_trouble(), self._asked("HEAD", self._target(path)) as answer:
            if answer.status_code == 404:
                return None
            _require(answer, 200)
            return int(answer.headers["Content-Length"])

    def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
        asked = {"range": f"bytes={start}-{start + length - 1}"} if length else {}
        with _told_as_trouble(), self._asked("GET", self._target(path), asked) as answer:
            _require(answer, 206)
            yield from _so_many(answer.iter_raw(PIECE), length)

    def close(self) -> None:
        self._client.close()

    def _target(self, path: str) -> str:
        return quote(f"/{self._bucket}/{self._folder}/{place_of(path)}")

    @contextmanager
    def _asked(self, verb: str, target: str, headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:
        """An answer; asked once more if the server calls its region otherwise."""
        for is_last in (False, True):
            signed = signed_headers(self._access, f"{verb} {target}", b"", headers)
            with self._client.stream(verb, f"{self._access.address}{target}", headers=signed) as answer:
                if is_last or not (region := _region_in(answer)):
                    yield answer
                    return
            self._access = self._access._replace(region=region)


def _region_in(answer: httpx.Response) -> str:
    """The region that a server wants to hear, where it refuses another; S3 says it in a header or in its words."""
    if answer.status_code not in (301, 400, 403):
        return ""
    words = _whole(answer).decode(errors="replace")
    said = re.search(r"<Region>([A-Za-z0-9-]+)</Region>|/([A-Za-z0-9-]+)/s3/aws4_request", words)
    return answer.headers.get("x-amz-bucket-region", "") or (said[1] or said[2] if said else "")


def _text(tree: ElementTree.Element, name: str) -> str:
    return tree.findtext(f"{{*}}{name}") or ""


def _whole(answer: httpx.Response) -> bytes:
    """All that a server says, unless that has no end."""
    return b"".join(_so_many(answer.iter_bytes(PIECE), MOST_BYTES))


def _so_many(pieces: Iterator[bytes], most: int) -> Iterator[bytes]:
    """The same bytes; raises ValueError for more than were to come."""
    for piece in pieces:
        most -= len(piece)
        if most < 0:
            raise ValueError("it says more than it was asked for")
        yield piece


def _require(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise OSError(0, f"the repository's server answered {answer.status_code}")


@contextmanager
def _told_as_trouble() -> Iterator[None]:
    """What a server says that is no answer is trouble with reading."""
    try:
        yield
    except (httpx.HTTPError, ElementTree.ParseError, *_NO_ANSWER) as error:
        raise OSError(0, f"the repository's server did not answer: {error or type(error).__name__}") from error
