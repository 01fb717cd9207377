"""A host in a directory whose application has a database, a volume and a bucket; its servers are stand-ins."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from fedikit.agent.signature import Access, sign
from fedikit.model.data import ApplicationData, BucketPart, MariaPart, Part, PostgresPart, VolumePart
from fedikit.model.deployment import Deployment
from fedikit.model.item import Directory, File, SecretRef, SecretText
from fedikit.remote.directory import DirectoryMachine
from tests.remote.conftest import Stage

REGION, KEY_ID, EMPTY = (
    "garage",
    "GK31c2f218a2e44f485b94239e",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
)
DATABASE, BUCKET_KEY = SecretRef(name="app/database"), SecretRef(name="app/bucket-key", format="garage-key-secret")
PERMANENT = SecretRef(name="app/encryption", format="letters32", permanent=True)
POSTGRES = PostgresPart(
    host="127.0.0.1", port=5432, user="app", name="app", password=DATABASE, encrypted=False, extensions=("pg_trgm",)
)
MARIA = MariaPart(host="127.0.0.1", port=3306, user="app", name="app", password=DATABASE)
VOLUME = VolumePart(path="/srv/app-storage", leave_out=("cache",))
FIRST = 0x7000_0000
STORED = Directory(path="/srv/app-storage", mode="0750", owner=str(FIRST + 33), group=str(FIRST + 33), data=True)
VARIABLES = File(path="/etc/fedikit/app.env", content="DOMAIN=example.org\n", mode="0600")
SECRETS = File(
    path="/etc/fedikit/app.secrets.env",
    content=SecretText(parts=("DB_PASS=", DATABASE, "\nENCRYPTION=", PERMANENT, "\n")),
    mode="0600",
)

PSQL = """\
import os, sys
assert os.environ["PGPASSWORD"] and not any(os.environ["PGPASSWORD"] in word for word in sys.argv)
assert "--no-password" in sys.argv and os.environ["PGSSLMODE"] == "disable"
asked = [word.partition("=")[2] for word in sys.argv if word.startswith("--command=")]
if asked:
    print({"SELECT pg_database_size(current_database())": 5000, "SHOW server_version": "17.6"}[asked[0]])
    sys.exit()
for line in sys.stdin:
    if "pg_export_snapshot" in line:
        print("00000003-0000001B-1", flush=True)
    if line.startswith("\\\\echo"):
        print("public.statuses 3\\npublic.users 1\\nfedikit counted all", flush=True)
"""
PG_DUMP = """\
import sys
assert "--snapshot=00000003-0000001B-1" in sys.argv and "--format=custom" in sys.argv
sys.stdout.write("PGDMP" + "x" * 1000)
"""
MARIADB = """\
import os, sys
path = sys.argv[1].removeprefix("--defaults-extra-file=")
assert 'password="' in open(path).read() and not os.stat(path).st_mode & 0o077, "it is ignored"
print("10.11" if "version()" in " ".join(sys.argv) else 7000)
"""
MARIADB_DUMP = """\
print("CREATE TABLE `users` (")
print("INSERT INTO `users` VALUES")
print("(1,'one'),")
print("(2,'two');")
print("CREATE TABLE `empty` (")
print("-- Dump completed on 2026-11-27")
"""


@dataclass
class Kept:
    """An object in the stand-in's bucket."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Bucket(ThreadingHTTPServer):
    """A strict stand-in for an S3 server with one bucket: lists by pages, and believes none but its key."""

    daemon_threads = True

    def __init__(self, secret: str, page: int = 1000) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secret, self.page = secret, page
        self.objects: dict[str, Kept] = {}
        self.fetched: list[str] = []
        self.breaks_at = ""
        """At this key it hangs up in the midst."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Bucket
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        headers = {name: self.headers[name] for name in ("host", "x-amz-content-sha256", "x-amz-date")}
        access = Access(self.server.address, REGION, KEY_ID, self.server.secret)
        place = urlsplit(self.path)
        if sign(access, f"GET {self.path}", headers, EMPTY) != self.headers["Authorization"]:
            self._say(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>", {})
        elif place.path == "/media":
            self._list({name: values[0] for name, values in parse_qs(place.query).items()})
        elif kept := self.server.objects.get(key := unquote(place.path.removeprefix("/media/"))):
            self._give(key, kept)
        else:
            self._say(404, b"<Error><Code>NoSuchKey</Code></Error>", {})

    def _give(self, key: str, kept: Kept) -> None:
        self.server.fetched.append(key)
        if key == self.server.breaks_at:
            self.send_response(200)
            self.send_header("Content-Length", str(len(kept.body) + 10))
            self.end_headers()
            self.wfile.write(kept.body)
            self.close_connection = True
        else:
            self._say(200, kept.body, kept.headers)

    def _list(self, query: dict[str, str]) -> None:
        assert query["encoding-type"] == "url"
        after = unquote(query["continuation-token"]) if "continuation-token" in query else query.get("start-after", "")
        keys = sorted(key for key in self.server.objects if key > after)
        shown = keys[: self.server.page]
        found = "".join(
            f"<Contents><Key>{escape(quote(key))}</Key><Size>{len(self.server.objects[key].body)}</Size>"
            f"<ETag>&quot;{len(key):032x}&quot;</ETag></Contents>"
            for key in shown
        )
        is_more = len(keys) > len(shown)
        token = f"<NextContinuationToken>{quote(shown[-1])}</NextContinuationToken>" if is_more else ""
        told = f"<EncodingType>url</EncodingType><IsTruncated>{str(is_more).lower()}</IsTruncated>{token}{found}"
        body = f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{told}</ListBucketResult>'
        self._say(200, body.encode(), {})

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            "Last-Modified": formatdate(usegmt=True),
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def bucket(secret: str, page: int = 1000) -> Iterator[Bucket]:
    server = Bucket(secret, page)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def programs(machine: DirectoryMachine) -> None:
    """The tools of both servers."""
    for name, text in (("psql", PSQL), ("pg_dump", PG_DUMP), ("mariadb", MARIADB), ("mariadb-dump", MARIADB_DUMP)):
        machine.program(name, f"#!{sys.executable} -I\n{text}")


def files(machine: DirectoryMachine) -> Path:
    """What is in the volume."""
    root = machine.path("/srv/app-storage")
    (root / "app/public").mkdir(parents=True)
    (root / "cache").mkdir()
    (root / "app/one").write_text("one\n")
    (root / "app/one").chmod(0o640)
    (root / "app/public/link").symlink_to("../one")
    (root / "app/public/again").hardlink_to(root / "app/one")
    (root / "cache/large").write_text("made anew")
    return root


def media(server: Bucket) -> BucketPart:
    return BucketPart(
        name="media", endpoint=server.address, region=REGION, bucket="media", key_id=KEY_ID, key_secret=BUCKET_KEY,
        leave_out=("cache/",),
    )  # fmt: skip


def deployment(stage: Stage, *parts: Part, application: str = "app") -> Deployment:
    """One application on the host `one`, with these parts."""
    empty = stage.environment.empty()
    items = (STORED, VARIABLES, SECRETS)
    state = empty.hosts["one"].model_copy(
        update={
            "items": items,
            "applications": (application,),
            "belongings": {item.id: (application,) for item in items},
            "data": {
                application: ApplicationData(folder=application, parts=parts, images={"app-web": "docker.io/app/app:1"})
            },
        }
    )
    return empty.model_copy(update={"hosts": {**empty.hosts, "one": state}})
