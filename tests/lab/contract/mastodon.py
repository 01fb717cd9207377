"""Mastodon's contract programs as tests meet them: their variables, a browser, an account."""

import base64
import http.client
import json
import re
import subprocess
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fedikit_lab.contract import mastodon
from tests.lab.contract.conftest import Program, Stored, free_port

DOMAIN = "social.example"
MEDIA = "https://media.social.example"
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FORM = b'--X\r\nContent-Disposition: form-data; name="file"; filename="A Picture.PNG"\r\n'
FORM += b"Content-Type: image/png\r\n\r\n" + PICTURE + b"\r\n--X--\r\n"
VIDEO = FORM.replace(b"image/png", b"video/mp4")
FORM_KIND = {"Content-Type": "multipart/form-data; boundary=X"}
_TOKEN = re.compile(r'name="authenticity_token" value="([^"]+)"')


def vapid_pair(number: int = 5) -> tuple[str, str]:
    key = ec.derive_private_key(number, ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode(), base64.urlsafe_b64encode(point).decode()


def variables() -> dict[str, str]:
    private, public = vapid_pair()
    encryption = {f"ACTIVE_RECORD_ENCRYPTION_{name}": "Ab1" * 10 + "xy" for name in ENCRYPTION}
    return {
        "LOCAL_DOMAIN": DOMAIN,
        "SECRET_KEY_BASE": "0f" * 64,
        **encryption,
        "VAPID_PRIVATE_KEY": private,
        "VAPID_PUBLIC_KEY": public,
        "DB_HOST": "127.0.0.1",
        "DB_PASS": "password",
        "REDIS_HOST": "127.0.0.1",
        "S3_ENABLED": "true",
        "S3_BUCKET": "mastodon",
        "S3_REGION": "garage",
        "S3_ENDPOINT": "http://127.0.0.1:3900",
        "S3_PERMISSION": "",
        "S3_PROTOCOL": "https",
        "S3_ALIAS_HOST": MEDIA.removeprefix("https://"),
        "AWS_ACCESS_KEY_ID": "GK" + "0" * 24,
        "AWS_SECRET_ACCESS_KEY": "0" * 64,
        "EMAIL_DOMAIN_ALLOWLIST": DOMAIN,
    }


ENCRYPTION = ("DETERMINISTIC_KEY", "KEY_DERIVATION_SALT", "PRIMARY_KEY")
REQUIRED = [
    *("LOCAL_DOMAIN", "SECRET_KEY_BASE", "VAPID_PRIVATE_KEY", "VAPID_PUBLIC_KEY", "DB_HOST", "DB_PASS", "REDIS_HOST"),
    *("S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    *(f"ACTIVE_RECORD_ENCRYPTION_{name}" for name in ENCRYPTION),
]


@dataclass
class Browser:
    """Asks the web process as a proxy in front of it does, and keeps cookies."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, dict[str, str]]:
        """The status, the text and the headers; one cookie an answer is enough here."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        usual = {"Host": DOMAIN, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.9"}
        usual["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, {**usual, **(headers or {})})
        response = connection.getresponse()
        text, found = response.read().decode(), {name.lower(): value for name, value in response.getheaders()}
        connection.close()
        if "set-cookie" in found:
            name, _, value = found["set-cookie"].partition(";")[0].partition("=")
            self.cookies[name] = value
        return response.status, text, found

    def sign_in(self, password: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        _, form, _ = self.ask("GET", "/auth/sign_in")
        token = _TOKEN.findall(form)[0]
        fields = {"authenticity_token": token, "user[email]": f"Test@{DOMAIN}", "user[password]": password}
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{DOMAIN}"}
        return self.ask("POST", "/auth/sign_in", urllib.parse.urlencode(fields), {**kind, **headers})

    def token(self) -> str:
        """The token that the home page hands to its script."""
        _, home, _ = self.ask("GET", "/")
        state = re.search(r'id="initial-state" type="application/json">([^<]+)<', home)
        assert state, home
        return str(json.loads(state[1])["access_token"])


@dataclass(frozen=True)
class Servers:
    """What Mastodon needs besides itself."""

    make_program: Callable[..., Program]
    python: str
    database: dict[str, str]
    redis: dict[str, str]
    storage: Stored

    def mastodon(self, **more: str) -> Program:
        """Mastodon over them, with an empty database."""
        places = {
            **variables(),
            **mastodon.IMAGE["env"],
            "BIND": "127.0.0.1",
            "DB_PORT": self.database["port"],
            "DB_USER": self.database["user"],
            "DB_PASS": self.database["password"],
            "DB_NAME": self.database["dbname"],
            "REDIS_PORT": self.redis["port"],
            "REDIS_PASSWORD": self.redis["password"],
            "S3_ENDPOINT": self.storage.endpoint,
            **more,
        }
        made: Program = self.make_program(mastodon.FILES, mastodon.IMAGE["workdir"], places, python=self.python)
        return made

    def ask_redis(self, *words: str) -> str:
        """What redis-cli prints for one command."""
        command = ["redis-cli", "-p", self.redis["port"], "--no-auth-warning", "-a", self.redis["password"], *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    def queue(self, queue: str, kind: str, *arguments: object) -> None:
        """Queues a job for sidekiq."""
        job = {"class": kind, "args": arguments, "jid": "0" * 24, "queue": queue}
        self.ask_redis("LPUSH", f"queue:{queue}", json.dumps(job))


def set_up(program: Program) -> Program:
    """The same, with its tables."""
    done = program.run("mastodon", "bundle", "exec", "rails", "db:prepare")
    assert done.returncode == 0, done.stderr
    return program


def create_user(program: Program, name: str = "test") -> str:
    arguments = [
        "accounts",
        "create",
        name,
        "--email",
        f"{name}@{DOMAIN}",
        "--confirmed",
        "--approve",
        "--role",
        "Owner",
    ]
    done = program.run("mastodon", "tootctl", *arguments)
    found = re.fullmatch(r"OK\nNew password: ([0-9a-f]{32})\n", done.stdout)
    assert found, done.stderr
    return found[1]


def start_web(program: Program) -> Browser:
    port = free_port()
    program.start("mastodon", "bundle", "exec", "puma", "-C", "config/puma.rb", says="Listening", PORT=str(port))
    return Browser(port)
