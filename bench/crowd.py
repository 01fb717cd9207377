"""Who uses the server that moves: what is there before, and a member who goes on posting whatever happens."""

import shlex
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from providers import DOMAIN, EMAIL, NEW, OLD, Providers

from fedikit.model import initial_password
from fedikit.secrets import Vault
from fedikit_lab.member import sign_in, visitor_at

SITE, MEDIA = f"mastodon.{DOMAIN}", f"media.mastodon.{DOMAIN}"
PROGRAM = "/usr/local/lib/fedikit-data"
OBJECT_BYTES = 50_000
SECONDS = 10.0
PAUSE = 0.2
"""Between two posts of the member."""
SHARES = {"accounts": 20, "statuses": 50, "media_attachments": 5, "mentions": 25}
"""Of a hundred rows, those of each table."""
ROWS = """
SET ROLE mastodon;
CREATE TABLE mentions (id bigserial PRIMARY KEY, status_id bigint NOT NULL REFERENCES statuses,
  account_id bigint NOT NULL REFERENCES accounts, silent boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO accounts (id, username, domain, display_name)
  SELECT n, 'person' || n, 'server' || n % 500 || '.test', md5(n::text) FROM generate_series(1, {accounts}) n;
INSERT INTO statuses (id, account_id, text)
  SELECT n, 1 + n % {accounts}, (SELECT string_agg(md5((n * 7 + k)::text), ' ') FROM generate_series(1, 1 + n % 12) k)
  FROM generate_series(1, {statuses}) n;
INSERT INTO media_attachments (id, account_id, status_id, file_file_name, file_content_type, processing)
  SELECT n, 1 + n % {accounts}, n, md5(n::text) || '.png', 'image/png', 2
  FROM generate_series(1, {media_attachments}) n;
INSERT INTO mentions (status_id, account_id)
  SELECT 1 + n % {statuses}, 1 + n * 13 % {accounts} FROM generate_series(1, {mentions}) n;
CREATE INDEX ON mentions (account_id, status_id);
"""
OBJECTS = f"""
import os, sys
sys.path.insert(0, {PROGRAM!r})
from concurrent.futures import ThreadPoolExecutor
from onhost.places import Places
from onhost.s3 import Bucket
from onhost.telling import Telling
from onhost.work import open_work

work = open_work(Places("mastodon"), Telling(sys.stdout))
(part,) = [work.part(one["id"]) for one in work.settings.parts if one["kind"] == "bucket"]
with Bucket(part.access, part.name) as bucket, ThreadPoolExecutor(8) as pool:
    def put(number):
        name = f"media_attachments/files/{{number:09d}}.png"
        bucket.put(name, os.urandom(OBJECT_BYTES), {{"content-type": "image/png"}})
    list(pool.map(put, range(COUNT)))
"""
"""Puts objects as fast as Garage takes them, by the program that backs them up."""


def settle(providers: Providers, *, rows: int, objects: int) -> None:
    """Fills the old side's database and bucket."""
    counts = {table: rows * share // 100 for table, share in SHARES.items()}
    database = "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 mastodon"
    filled = providers.machine(OLD, "database").run(database, stdin=ROWS.format(**counts))
    if filled.exit_status:
        raise RuntimeError(f"the database could not be filled: {filled}")
    script = OBJECTS.replace("OBJECT_BYTES", str(OBJECT_BYTES)).replace("COUNT", str(objects))
    providers.machine(OLD, "application").succeed(f"python3 -B -c {shlex.quote(script)}")


@dataclass
class Posted:
    """What the server said that it took, by where; and what else it said, and when it last and first took something.

    texts     numbers of posts
    pictures  numbers of attachments, and the paths of their objects
    answers   how often which status came after the first refusal
    """

    texts: list[int] = field(default_factory=list)
    pictures: dict[int, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    last: float = 0.0
    first: float = 0.0

    @property
    def gap(self) -> float:
        """Seconds without an answer that something was taken."""
        return round(self.first - self.last, 2)


class Member:
    """Posts texts and pictures in turn at the side that serves; where it is refused, it tries the other one too."""

    def __init__(self, providers: Providers, *, serving: str) -> None:
        self._sides = (serving, NEW if serving == OLD else OLD)
        trust = ssl.create_default_context(cadata=providers.lab.acme_root())
        addresses = [providers.machine(side, "application").address for side in self._sides]
        self._clients = [visitor_at(address, SITE, trust, seconds=SECONDS) for address in addresses]
        password = Vault.of(providers.deployment(serving)).value(initial_password("mastodon"))
        bearer = sign_in(self._clients[0], EMAIL, password)
        self._clients[1].headers["Authorization"] = f"Bearer {bearer}"  # it holds wherever the data is
        self.posted = Posted()
        self._over = threading.Event()

    @contextmanager
    def posting(self) -> Iterator[Posted]:
        """Posts as long as the block runs; each from a thread of its own. What it posted, to be read afterwards."""
        thread = threading.Thread(target=self._post_on)
        thread.start()
        try:
            yield self.posted
        finally:
            self._over.set()
            thread.join()

    def _post_on(self) -> None:
        acts: tuple[Callable[[httpx.Client], None], ...] = (self._post_text, self._post_picture)
        here, count = 0, 0
        while not self._over.wait(PAUSE):
            said = self._try(acts[count % len(acts)], self._clients[here])
            count += 1
            if said:
                here = 1 - here
                self.posted.answers[f"{self._sides[here - 1]}: {said}"] += 1
            elif self.posted.answers and not self.posted.first and here:
                self.posted.first = time.monotonic()
            elif not here:
                self.posted.last = time.monotonic()

    def _try(self, act: Callable[[httpx.Client], None], client: httpx.Client) -> str:
        """Why it was not taken; nothing if it was."""
        try:
            act(client)
        except httpx.HTTPStatusError as error:
            return str(error.response.status_code)
        except httpx.HTTPError as error:
            return type(error).__name__
        return ""

    def _post_text(self, client: httpx.Client) -> None:
        answer = client.post("/api/v1/statuses", json={"status": f"It is {time.time()}"})
        self.posted.texts.append(int(answer.raise_for_status().json()["id"]))

    def _post_picture(self, client: httpx.Client) -> None:
        content = time.monotonic_ns().to_bytes(8, "big") * (OBJECT_BYTES // 8)
        answer = client.post("/api/v2/media", files={"file": ("picture.png", content, "image/png")})
        told = answer.raise_for_status().json()
        self.posted.pictures[int(told["id"])] = httpx.URL(told["url"]).path


def lost(providers: Providers, side: str, posted: Posted) -> list[str]:
    """What was acknowledged and is not on a side, in its database or in its bucket."""
    found = _numbers(providers, side)
    missing = [f"post {number}" for number in posted.texts if number not in found["statuses"]]
    missing += [f"attachment {number}" for number in posted.pictures if number not in found["media_attachments"]]
    trust = ssl.create_default_context(cadata=providers.lab.acme_root())
    with visitor_at(providers.machine(side, "bucket").address, MEDIA, trust, seconds=SECONDS) as visitor:
        for path in posted.pictures.values():
            answer = visitor.get(path)
            if answer.status_code != httpx.codes.OK or len(answer.content) != OBJECT_BYTES:
                missing.append(f"object {path}")
    return missing


def _numbers(providers: Providers, side: str) -> dict[str, set[int]]:
    machine = providers.machine(side, "database")
    ask = "runuser -u postgres -- psql -XAtq mastodon -c 'SELECT id FROM {}'"
    tables = ("statuses", "media_attachments")
    return {table: set(map(int, machine.succeed(ask.format(table)).split())) for table in tables}
