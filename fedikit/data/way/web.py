"""A repository that is reached over the web: by restic's own REST protocol, or over S3. Only asked, never told."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote
from xml.etree import ElementTree

import httpx

from fedikit.agent.signature import Access, signed_headers
from fedikit.data.way.gate import LISTED
from fedikit.data.way.source import PIECE, place_of

SECONDS = 60
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
            answer = self._client.get(f"{self._address}/{kind}/", headers={"Accept": LISTED})
            _require(answer, 200)
            return {str(entry["name"]): int(entry["size"]) for entry in answer.json() or ()}

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
            yield from answer.iter_raw(PIECE)

    def close(self) -> None:
        self._client.close()


class S3Source:
    """A repository in a bucket; `folder` is its prefix there. The region is what the server says it is."""

    def __init__(self, access: Access, bucket: str, folder: str) -> None:
        self._access = access
        self._bucket, self._folder = bucket, folder
        self._client = httpx.Client(headers=_AS_IT_IS, timeout=SECONDS)

    def sizes(self, kind: str) -> dict[str, int]:
        found, more = dict[str, int](), ""
        while True:
            page = self._page(f"{self._folder}/{kind}/", more)
            for entry in page.iterfind("{*}Contents"):
                found[_text(entry, "Key").rpartition("/")[2]] = int(_text(entry, "Size"))
            more = _text(page, "NextContinuationToken")
            if not more:
                return found

    def _page(self, prefix: str, more: str) -> ElementTree.Element:
        asked = {
            "list-type": "2",
            "max-keys": "1000",
            "prefix": prefix,
            **({"continuation-token": more} if more else {}),
        }
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(asked.items()))
        with _told_as_trouble(), self._asked("GET", f"/{self._bucket}?{query}") as answer:
            _require(answer, 200)
            return ElementTree.fromstring(answer.read())  # noqa: S314 - of the repository's own server

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
            yield from answer.iter_raw(PIECE)

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
    words = answer.read().decode(errors="replace")
    said = re.search(r"<Region>([A-Za-z0-9-]+)</Region>|/([A-Za-z0-9-]+)/s3/aws4_request", words)
    return answer.headers.get("x-amz-bucket-region", "") or (said[1] or said[2] if said else "")


def _text(tree: ElementTree.Element, name: str) -> str:
    return tree.findtext(f"{{*}}{name}") or ""


def _require(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise OSError(0, f"the repository's server answered {answer.status_code}")


@contextmanager
def _told_as_trouble() -> Iterator[None]:
    """What a server says that is no answer is trouble with reading."""
    try:
        yield
    except (httpx.HTTPError, ValueError, KeyError, TypeError, ElementTree.ParseError) as error:
        raise OSError(0, f"the repository's server did not answer: {error or type(error).__name__}") from error
