"""The gate through which a repository is read: what is in it comes through, and nothing goes back."""

import hmac
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from fedikit.agent.signature import Access
from fedikit.data.way import web
from fedikit.data.way.ahead import BLOCK
from fedikit.data.way.gate import LISTED, Gate
from fedikit.data.way.opening import address_of
from fedikit.data.way.source import FolderSource
from fedikit.data.way.web import RestSource, S3Source
from tests.data.onhost.storage import NAME, Storage

PACK, INDEX = "ab" + "0" * 62, "1" * 64
CONTENT = bytes(range(256)) * 4


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "mastodon"
    for name, content in {"config": b"sealed", f"data/ab/{PACK}": CONTENT, f"index/{INDEX}": b"where"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (tmp_path / "secret").write_text("of somebody else")
    return folder


@pytest.fixture
def gate(repository: Path) -> Iterator[Gate]:
    with Gate("127.0.0.1", {"mastodon": FolderSource(repository)}, password="") as gate:
        yield gate


@pytest.fixture
def client(gate: Gate) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gate.url.removeprefix("rest:"), trust_env=False, timeout=10) as client:
        yield client


def test_files_come_through_whole_and_in_part(client: httpx.Client) -> None:
    assert client.get("/mastodon/config").content == b"sealed"
    assert client.head("/mastodon/config").headers["Content-Length"] == "6"
    assert client.get(f"/mastodon/data/{PACK}").content == CONTENT
    for asked, expected in {
        "bytes=3-9": CONTENT[3:10],
        "bytes=1000-": CONTENT[1000:],
        "bytes=9-9999": CONTENT[9:],
    }.items():
        answer = client.get(f"/mastodon/data/{PACK}", headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, expected)


def test_folders_are_listed_with_sizes(client: httpx.Client) -> None:
    answer = client.get("/mastodon/data/")
    assert answer.headers["Content-Type"] == LISTED
    assert answer.json() == [{"name": PACK, "size": len(CONTENT)}]
    assert json.loads(client.get("/mastodon/index/").text) == [{"name": INDEX, "size": 5}]
    assert client.get("/mastodon/snapshots/").json() == []


def test_what_is_no_file_of_a_repository_is_not_listed(client: httpx.Client, repository: Path) -> None:
    for name in (f"{INDEX}-tmp-123", "../secret\n", "a" * 63):
        (repository / "index" / name.replace("/", "")).write_text("a draft")
    assert client.get("/mastodon/index/").json() == [{"name": INDEX, "size": 5}]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "MKCOL"])
def test_nobody_writes(client: httpx.Client, repository: Path, method: str) -> None:
    before = sorted(repository.rglob("*"))
    for path in ("/mastodon/config", f"/mastodon/locks/{INDEX}", "/mastodon/?create=true"):
        assert client.request(method, path, content=b"x").status_code == 501
    assert sorted(repository.rglob("*")) == before
    assert (repository / "config").read_bytes() == b"sealed"


@pytest.mark.parametrize(
    "path",
    [
        "/secret",
        "/mastodon/../secret",
        "/mastodon/data/../../secret",
        "/mastodon/data/%2e%2e/%2e%2e/secret",
        "/pixelfed/config",
        "/mastodon/keys/short",
        f"/mastodon/snapshots/{INDEX}",
        "/",
    ],
)
def test_nothing_else_is_there(gate: Gate, path: str) -> None:
    """Asked as it stands: a client would tidy the path up."""
    host, _, port = gate.url.removeprefix("rest:http://").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", path)
    assert connection.getresponse().status == 404
    connection.close()


def test_what_cannot_be_read_is_told_to_whoever_proves(tmp_path: Path) -> None:
    class Broken(FolderSource):
        def size(self, path: str) -> int | None:
            raise OSError(5, "Input/output error")

    with (
        Gate("127.0.0.1", {"mastodon": Broken(tmp_path)}, password="") as gate,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        httpx.get(f"{gate.url.removeprefix('rest:')}/mastodon/config", trust_env=False, timeout=10)
    assert gate.troubles == ["config: Input/output error"]


def test_a_repository_on_a_rest_server_is_read_through_its_own_protocol(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another gate is as good a server as any."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    source = RestSource(f"{gate.url.removeprefix('rest:')}/mastodon", "", "")
    assert source.sizes("data") == {PACK: len(CONTENT)}
    assert (source.size("config"), source.size(f"keys/{INDEX}")) == (6, None)
    assert b"".join(source.read(f"data/{PACK}", 3, 7)) == CONTENT[3:10]
    source.close()


def test_a_repository_in_a_bucket_is_read_whatever_its_region_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    storage = Storage(page=2)
    names = [f"{number:02x}{PACK[2:]}" for number in range(5)]
    for name in names:
        storage.put(f"mastodon/data/{name[:2]}/{name}", CONTENT)
    refusal = b"<Error><Message>unexpected scope, expected: 20261127/garage/s3/aws4_request</Message></Error>"
    storage.answers[f"GET /{NAME}?"] = [(400, refusal)]
    source = S3Source(storage.access._replace(region="us-east-1"), NAME, "mastodon")
    assert source.sizes("data") == dict.fromkeys(names, len(CONTENT))
    assert (source.size(f"data/{names[1]}"), source.size("config")) == (len(CONTENT), None)
    assert b"".join(source.read(f"data/{names[1]}", 5, 9)) == CONTENT[5:14]
    assert {request.split(" ")[0] for request in storage.asked} == {"GET", "HEAD"}
    source.close()
    storage.close()


def test_a_server_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(OSError, match="the repository's server did not answer"):
        RestSource("http://127.0.0.1:9", "", "").sizes("keys")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sftp:backup@10.0.0.9:/srv/backups/snac", ("backup", "10.0.0.9", 22, "/srv/backups/snac")),
        ("sftp:[2001:db8::9]:backups/snac", ("root", "2001:db8::9", 22, "backups/snac")),
        ("sftp://backup@store.example:2222//srv/snac", ("backup", "store.example", 2222, "/srv/snac")),
        ("sftp://store.example/backups/snac", ("root", "store.example", 22, "backups/snac")),
    ],
)
def test_a_server_is_found_by_both_spellings(url: str, expected: tuple[str, str, int, str]) -> None:
    assert address_of(url) == expected


# Behind a password

PASSWORD = "6f" * 32


@pytest.fixture
def closed(repository: Path) -> Iterator[Gate]:
    with Gate("127.0.0.1", {"mastodon": FolderSource(repository)}, password=PASSWORD) as gate:
        yield gate


@pytest.mark.parametrize("shown", [None, ("fedikit", ""), ("fedikit", "6f" * 31), ("root", PASSWORD), ("é", "é")])
def test_nobody_reads_without_the_password(closed: Gate, shown: tuple[str, str] | None) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{closed.port}", auth=shown, trust_env=False, timeout=10) as client:
        for path in ("/mastodon/config", "/mastodon/data/", "/pixelfed/config", "/"):
            answer = client.get(path)
            assert (answer.status_code, answer.content) == (401, b"")
            assert answer.headers["Connection"] == "close"
            assert client.head(path).status_code == 401


def test_the_url_opens_the_gate_also_by_an_address_that_leads_there(closed: Gate) -> None:
    for url in (closed.url, closed.at("localhost", closed.port)):
        assert PASSWORD in url
        answer = httpx.get(f"{url.removeprefix('rest:')}/mastodon/config", trust_env=False, timeout=10)
        assert answer.content == b"sealed"


def test_passwords_are_compared_without_telling_by_the_time_it_takes(
    closed: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one of which the beginning is right goes the whole length."""
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one != other)
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert httpx.get(f"{closed.url.removeprefix('rest:')}/mastodon/config", trust_env=False).status_code == 401
    assert compared == [False]


def test_who_shows_no_password_keeps_no_line_open(closed: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedikit.data.way.gate._Asked.timeout", 0.05)
    with socket.create_connection(("127.0.0.1", closed.port), timeout=5) as line:
        assert line.recv(1) == b""


def test_more_than_the_most_are_hung_up_on_and_the_others_are_served(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedikit.data.way.gate.MOST_AT_ONCE", 2)
    with (
        Gate("127.0.0.1", {"mastodon": FolderSource(repository)}, password="") as gate,
        httpx.Client(base_url=gate.url.removeprefix("rest:"), trust_env=False, timeout=10) as client,
    ):
        assert client.get("/mastodon/config").status_code == 200
        with socket.create_connection(("127.0.0.1", gate.port), timeout=5):
            with socket.create_connection(("127.0.0.1", gate.port), timeout=5) as third:
                assert third.recv(1) == b""
            assert client.get("/mastodon/config").status_code == 200
        assert gate.troubles == ["more than 2 connections at once"]


@pytest.mark.parametrize("more", [2 * BLOCK, 2, -2])
def test_a_file_of_another_length_than_was_told_is_no_answer_and_spoils_no_other(repository: Path, more: int) -> None:
    """Neither waits somebody for the rest, nor is it taken for the next answer."""

    class Lying(FolderSource):
        def size(self, path: str) -> int | None:
            return (super().size(path) or 0) + more

        def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
            yield from super().read(path, start, 6)

    with (
        Gate("127.0.0.1", {"mastodon": Lying(repository)}, password="") as gate,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        httpx.get(f"{gate.url.removeprefix('rest:')}/mastodon/config", trust_env=False, timeout=5)
    assert gate.troubles == ["config: the file is not as long as was told"]


def test_more_than_was_told_does_not_go_through(tmp_path: Path) -> None:
    class Lying(FolderSource):
        def size(self, path: str) -> int | None:
            return BLOCK + 1

        def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
            yield from (b"x" * BLOCK, b"HTTP/1.1 200 OK")

    with Gate("127.0.0.1", {"mastodon": Lying(tmp_path)}, password="") as gate:
        answer = httpx.get(f"{gate.url.removeprefix('rest:')}/mastodon/config", trust_env=False, timeout=5)
    assert answer.content == b"x" * BLOCK + b"H"
    assert gate.troubles == ["config: the file is not as long as was told"]


def test_who_keeps_a_line_open_reads_nothing_by_it_once_the_gate_is_shut(repository: Path) -> None:
    with Gate("127.0.0.1", {"mastodon": FolderSource(repository)}, password="") as gate:
        line = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=10)
        line.request("GET", "/mastodon/config")
        assert line.getresponse().read() == b"sealed"
    assert line.sock.recv(1) == b""
    line.close()


def answering(body: bytes, status: int = 200) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(status, content=iter([body]))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"x" * 9000, "says more than it was asked for"), (b'[{"name": "a", "size": 1e999}]', "did not answer"),
        (b"[" * 4000, "did not answer"), (b"7", "did not answer"),
    ],
)  # fmt: skip
def test_what_a_server_says_without_end_or_sense_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch, body: bytes, words: str
) -> None:
    monkeypatch.setattr(web, "MOST_BYTES", 5000)
    rest, bucket = RestSource("http://server", "", ""), S3Source(Access("http://server", "x", "id", "key"), NAME, "app")
    for source in (rest, bucket):
        source._client = httpx.Client(transport=httpx.MockTransport(answering(body)))
        with pytest.raises(OSError, match=words):
            source.sizes("data")
        source._client = httpx.Client(transport=httpx.MockTransport(answering(b"x" * 20, 206)))
        with pytest.raises(OSError, match="says more than it was asked for"):
            list(source.read("config", 0, 15))


def test_a_listing_whose_pages_lead_to_themselves_has_an_end() -> None:
    page = b"<R><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></R>"
    source = S3Source(Access("http://server", "x", "id", "key"), NAME, "app")
    source._client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, content=page)))
    with pytest.raises(OSError, match="its listing has no end"):
        source.sizes("data")


def test_strangers_make_no_more_troubles_than_anybody_reads(gate: Gate) -> None:
    for number in range(1000):
        gate._server.note(f"trouble {number % 500}" * 100)
    assert len(gate.troubles) == 100
    assert max(map(len, gate.troubles)) == 300
