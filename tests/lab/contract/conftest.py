"""Servers for the contract programs, on loopback and in directories of their own, where this machine has them.

Where it has none, the tests that need them are left out: the services check runs the same programs for real.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import werkzeug

import fedikit_lab.contract
from fedikit_lab.standins import sources_of_programs

PACKAGE = Path(fedikit_lab.contract.__file__).parent
SECONDS = 20
UPSTREAM = "4.5.6"
VERSION = f"{UPSTREAM}+contract"
"""What a program laid out here calls itself."""


@dataclass
class Program:
    """A contract program as in its image: `contract` is on the path, its version beside it, its files in place."""

    directory: Path
    python: str
    environment: dict[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, module: str, *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs to the end."""
        command, environment = self._command(module, arguments, variables)
        return subprocess.run(
            command, env=environment, cwd=self.directory, input=given, capture_output=True, text=True, timeout=SECONDS
        )

    def start(self, module: str, *arguments: str, says: str, **variables: str) -> subprocess.Popen[str]:
        """Starts and waits until the program says that it is there."""
        command, environment = self._command(module, arguments, variables)
        log = self.directory / f"{module}-{len(self.running)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                command, env=environment, cwd=self.directory, stdout=output, stderr=output, text=True
            )
        self.running.append(process)
        wait_until(lambda: says in log.read_text() or process.poll() is not None, f"{module} to say {says!r}")
        assert process.poll() is None, log.read_text()
        return process

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(SECONDS)

    def _command(
        self, module: str, arguments: Sequence[str], variables: Mapping[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        code = f"import runpy, sys; sys.path.insert(0, {str(self.directory)!r}); sys.argv[0] = ''; "
        code += f"runpy.run_module('contract.{module}', run_name='__main__', alter_sys=True)"
        path = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        command = [self.python, "-I", "-B", "-c", code, *arguments]
        return command, {**path, **self.environment, **variables}


@dataclass
class Stored:
    """What a stand-in for object storage was asked to keep."""

    endpoint: str
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)


@pytest.fixture
def make_program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Lays out a program: make_program({file in the image: file}, workdir, environment)."""
    made: list[Program] = []

    def make(files: Mapping[str, str], workdir: str, environment: dict[str, str], *, python: str = "") -> Program:
        lay_out(tmp_path)
        for place, name in files.items():
            target = tmp_path / Path(place).relative_to(workdir)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PACKAGE / "files" / name, target)
        made.append(Program(tmp_path, python or sys.executable, environment))
        return made[-1]

    yield make
    for program in made:
        program.stop()


@pytest.fixture(scope="session")
def debian_python() -> str:
    """Debian's Python with the drivers that the images have."""
    python = "/usr/bin/python3"
    probe = [python, "-I", "-c", "import psycopg2, pymysql, redis"]
    if not Path(python).exists() or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("needs Debian's python3-psycopg2, python3-pymysql and python3-redis")
    return python


@contextmanager
def postgresql_cluster(prepare: Callable[[Path], Sequence[str]] = lambda home: ()) -> Iterator[dict[str, str]]:
    """A PostgreSQL cluster that asks for passwords; gives host, port, user, password.

    `prepare` puts into its home what else it needs, and gives further words for its command line.
    """
    binaries = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
    if not binaries or os.geteuid() != 0:
        pytest.skip("needs PostgreSQL, and root to start it")
    with tempfile.TemporaryDirectory(prefix="fedikit-postgresql-") as name:
        home = Path(name)
        (home / "password").write_text("owner password")
        more = prepare(home)
        for path in (home, *home.iterdir()):
            shutil.chown(path, "postgres")
        init = [binaries / "initdb", "-D", home / "data", "-U", "owner", "-A", "scram-sha-256", "-N"]
        subprocess.run([*init, f"--pwfile={home}/password"], user="postgres", check=True, capture_output=True, cwd=home)
        port = free_port()
        serve = [
            binaries / "postgres",
            "-D",
            home / "data",
            "-p",
            str(port),
            "-k",
            home,
            "-F",
            "-h",
            "127.0.0.1",
            *more,
        ]
        with (home / "log").open("w") as log:
            server = subprocess.Popen([*serve, *more], user="postgres", stderr=log, cwd=home)
        wait_until(lambda: "ready to accept" in (home / "log").read_text(), "PostgreSQL to be ready")
        yield {"host": "127.0.0.1", "port": str(port), "user": "owner", "password": "owner password"}
        server.send_signal(signal.SIGQUIT)
        server.wait(SECONDS)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[dict[str, str]]:
    """A PostgreSQL cluster that asks for passwords."""
    with postgresql_cluster() as place:
        yield place


@pytest.fixture
def database(postgresql: dict[str, str]) -> dict[str, str]:
    """A database, emptied: also gives its name."""
    place = {**postgresql, "dbname": "postgres"}
    ask_postgresql(place, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return place


@pytest.fixture(scope="session")
def running_redis() -> Iterator[dict[str, str]]:
    """A Redis server that asks for a password."""
    if not shutil.which("redis-server"):
        pytest.skip("needs redis-server")
    with tempfile.TemporaryDirectory(prefix="fedikit-redis-") as home:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", home]
        server = subprocess.Popen([*command, "--requirepass", "cache-password"], stdout=subprocess.DEVNULL)
        wait_until(lambda: answers(port), "Redis to answer")
        yield {"host": "127.0.0.1", "port": str(port), "password": "cache-password"}
        server.terminate()
        server.wait(SECONDS)


@pytest.fixture
def redis_server(running_redis: dict[str, str]) -> dict[str, str]:
    """The Redis server, emptied."""
    with socket.create_connection(("127.0.0.1", int(running_redis["port"])), SECONDS) as connection:
        connection.sendall(f"AUTH {running_redis['password']}\r\nFLUSHALL\r\nQUIT\r\n".encode())
        while connection.recv(100):
            pass
    return running_redis


@pytest.fixture
def storage() -> Iterator[Stored]:
    """A stand-in for object storage that keeps what is put; signatures are proven elsewhere."""
    stored = Stored("")

    class Visit(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            stored.objects[self.path] = content, {name.lower(): value for name, value in self.headers.items()}
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            content, headers = stored.objects.get(self.path, (b"", {}))
            self.send_response(200 if headers or self.path.endswith("/") else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *values: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Visit)
    stored.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield stored
    server.shutdown()
    server.server_close()
    thread.join()


def lay_out(directory: Path, version: str = UPSTREAM) -> None:
    """Puts beside each other what the programs of an image are made of."""
    for place, source in sources_of_programs().items():
        (directory / place).parent.mkdir(parents=True, exist_ok=True)
        (directory / place).symlink_to(source)
    (directory / "contract/files").symlink_to(PACKAGE / "files")
    libraries = Path(werkzeug.__file__).parents[1]
    for part in (*libraries.glob("werkzeug*"), *libraries.glob("markupsafe*")):  # Debian's Python need not have them
        (directory / part.name).symlink_to(part)
    (directory / "version").write_text(f"{version}\n")


def ask_postgresql(place: Mapping[str, str], statement: str) -> str:
    """What psql prints for one statement."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    environment = {**os.environ, **{names[name]: value for name, value in place.items()}}
    command = ["psql", "-XAtqc", statement]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Waits with a deadline for something to hold."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited {SECONDS} s for {what}"
        time.sleep(0.05)
