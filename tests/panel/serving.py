"""A real server of the panel on this machine, and visitors of it."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import nbformat
import websocket
from argon2 import PasswordHasher

PASSWORD = "correct horse battery"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = QUICK.hash(PASSWORD)
CELLS = """
import os
import ipywidgets
from IPython.display import HTML, display
display(HTML(f"<p>{operator} {language} {configuration} {panel} {os.getpid()}</p>"), ipywidgets.Text())
"""
PARAMETERS = 'configuration = "mine"\nenvironment = "mine"\npanel = "mine"\noperator = "nobody"\nlanguage = "en"\n'
PROTOCOL = "v1.kernel.websocket.jupyter.org"
DEADLINE_SECONDS = 30


def wait_for(is_so: Callable[[], Any], what: str, seconds: float = DEADLINE_SECONDS) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := is_so():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:g} s for {what}, in vain")


def write_panel(folder: Path, *, operators: tuple[str, ...] = ("alice", "bob"), more: str = "", **hashes: str) -> Path:
    """A `panel.toml` with these operators, whose password is PASSWORD unless a hash says otherwise."""
    tables = [
        f'[operators.{name}]\npassword = "{hashes.get(name, HASH)}"\n'
        f'configuration = "{name}.json"\nenvironment = "hosts.toml"\n'
        for name in operators
    ]
    fresh = folder / "panel.toml.new"
    fresh.write_text(more + "\n".join(tables))
    return fresh.rename(folder / "panel.toml")


def write_notebook(folder: Path, cells: str = CELLS) -> Path:
    first = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[first, nbformat.v4.new_code_cell(cells)])
    nbformat.write(notebook, folder / "page.ipynb")
    return folder / "page.ipynb"


@dataclass
class Server:
    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"
    visitors: list["Visitor"] = field(default_factory=list)
    connections: list[websocket.WebSocket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> Path:
        return self.folder / "panel"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def visitor(self, **headers: str) -> "Visitor":
        self.visitors.append(Visitor(self, headers))
        return self.visitors[-1]

    def signed_in(self, name: str = "alice") -> "Visitor":
        visitor = self.visitor()
        assert visitor.sign_in(name).status_code == 302
        return visitor

    def kernels(self) -> list[int]:
        """The processes of all kernels."""
        command = ["pgrep", "-P", str(self.process.pid), "-f", "ipykernel_launcher"]
        return [int(pid) for pid in subprocess.run(command, capture_output=True, text=True).stdout.split()]


class Visitor:
    """A browser without a screen."""

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        self.server = server
        self.client = httpx.Client(base_url=server.url, headers=headers, timeout=DEADLINE_SECONDS)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Sends a form with the token that a form must have."""
        return self.client.post(path, data={"_xsrf": self.token(), **fields})

    def token(self) -> str:
        """The token of forms; the cookie that it must fit is one itself."""
        if "fedikit-_xsrf" not in self.client.cookies:
            self.get("/login")
        return self.client.cookies["fedikit-_xsrf"]

    def sign_in(self, name: str = "alice", password: str = PASSWORD, code: str = "") -> httpx.Response:
        return self.post("/login", name=name, password=password, code=code)

    def open_panel(self) -> "Page":
        answer = self.get("/")
        assert answer.status_code == 200, answer.status_code
        return Page(self, answer)


class Page:
    """The panel's page, as it came."""

    def __init__(self, visitor: Visitor, answer: httpx.Response) -> None:
        self.visitor = visitor
        self.html = answer.text
        found = re.search(r'data-kernel="([0-9a-f-]{36})"', answer.text)
        assert found
        self.kernel = found[1]

    def connect(self, visitor: Visitor | None = None, **options: Any) -> websocket.WebSocket:
        given = {"origin": self.visitor.server.url, "subprotocols": [PROTOCOL], **options}
        cookies = (visitor or self.visitor).client.cookies
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        url = f"{self.visitor.server.url.replace('http', 'ws')}/api/kernels/{self.kernel}/channels"
        connection = websocket.create_connection(url, timeout=DEADLINE_SECONDS, cookie=cookie, **given)
        self.visitor.server.connections.append(connection)
        return connection


def message(kind: str, content: dict[str, Any] | None = None, channel: str = "shell") -> bytes:
    """A message of Jupyter's, as browsers send it."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": "s",
        "username": "",
        "date": "",
        "version": "5.4",
    }
    parts = [channel.encode(), *(json.dumps(part).encode() for part in (header, {}, {}, content or {}))]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    return b"".join(number.to_bytes(8, "little") for number in numbers) + b"".join(parts)


@contextmanager
def serving(folder: Path, *, more: str = "", cells: str = CELLS) -> Iterator[Server]:
    """A server with two operators, and no kernel ahead of visitors but one."""
    write_panel(folder, more=more)
    write_notebook(folder, cells)
    port = free_port()
    server = Server(folder, port, begin(folder, port))
    try:
        yield server
    finally:
        for connection in server.connections:
            connection.shutdown()
        for visitor in server.visitors:
            visitor.client.close()
        server.process.terminate()
        server.process.wait(DEADLINE_SECONDS)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def begin(folder: Path, port: int, *options: str, path: str = "") -> "subprocess.Popen[bytes]":
    """Starts a server, and waits until it answers."""
    command = [sys.executable, "-m", "fedikit", "panel", "serve", "panel.toml", f"--port={port}"]
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--ahead=1", "--notebook=page.ipynb", *options],
            cwd=folder, stdout=log, stderr=log, env=environment,
        )  # fmt: skip
    wait_for(lambda: "the panel is at" in (folder / "server.log").read_text() or process.poll(), "the server")
    assert process.poll() is None, (folder / "server.log").read_text()
    return process
