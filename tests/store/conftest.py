"""What the store's tests share: an empty store, one that lives as long as the session, a small mirror."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread

import pytest

from fedikit.events import Tell, tell_nobody
from fedikit.store import Deb, Store, resolve


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def session_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("session") / "store")


def resolve_for_trixie(
    packages: Mapping[str, str | None],
    status: bytes = b"",
    *,
    store: Store,
    tell: Tell = tell_nobody,
    ours: Sequence[str] = (),
) -> tuple[Deb, ...]:
    """What a target on Debian 13 with this dpkg status lacks."""
    return resolve(packages, status=status, codename="trixie", architecture="amd64", store=store, tell=tell, ours=ours)


class SmallMirror:
    """An HTTP server for a few files.

    One in `slow` waits that many seconds before its second half; one in `together` until so many have asked for it.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.slow: dict[str, float] = {}
        self.together: dict[str, Barrier] = {}
        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True

    def deb(self, name: str, content: bytes, slow: float = 0, together: int = 1) -> Deb:
        """Serves some bytes as a package file."""
        file_name = f"{name}_1.0_all.deb"
        self.files[f"/{file_name}"] = content
        self.slow[f"/{file_name}"] = slow
        self.together[f"/{file_name}"] = Barrier(together, timeout=30)
        uri = f"http://127.0.0.1:{self.server.server_port}/{file_name}"
        return Deb(name, "1.0", "all", hashlib.sha256(content).hexdigest(), len(content), uri, file_name)

    def _handler(mirror) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                mirror.asked.append(self.path)
                content = mirror.files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                half = len(content or b"") // 2
                self.wfile.write((content or b"")[:half])
                self.wfile.flush()
                time.sleep(mirror.slow.get(self.path, 0))
                if barrier := mirror.together.get(self.path):
                    barrier.wait()
                self.wfile.write((content or b"")[half:])

            def log_message(self, *arguments: object) -> None:
                """Says nothing."""

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    """The downloader was killed, as some tests do."""

        return Handler


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallMirror]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    mirror = SmallMirror()
    thread = Thread(target=mirror.server.serve_forever, args=(0.02,))
    thread.start()
    yield mirror
    mirror.server.shutdown()
    thread.join()
    mirror.server.server_close()
