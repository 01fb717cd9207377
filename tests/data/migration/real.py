"""Both providers with the program of backups itself, and an application with a database, a bucket and a volume.

People write to it all the time where it runs, and what they were told is kept must be there in the end.
"""

import fcntl
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fedikit.data.migration.journal import read_journal
from fedikit.model.data import ApplicationData, BucketPart, PostgresPart, VolumePart
from fedikit.model.item import Directory, File, Item, SecretText
from fedikit.remote.directory import SIMULATED
from tests.data.migration.scene import APPLICATION, VOLUME, Scene, Side, sealed_with
from tests.data.onhost.conftest import STANDINS
from tests.data.onhost.storage import ACCESS, NAME, Storage
from tests.data.scene import PLACE
from tests.remote.conftest import Stage, Staged

ROWS = "/srv/db/posts"
PAGES = "/etc/caddy/closed"
DOMAIN = "example.org"
PAUSE = 0.1


class RealSide(Side):
    """A provider's host on which the program is the real one."""

    def __init__(self, stage: Stage, host: str) -> None:
        super().__init__(stage, host)
        self.has_volume = True
        self.storage = Storage()
        self.storage.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever asked was killed
        for name, source in (("restic", "restic"), ("systemctl", "pair")):
            self.machine.program(name, _program(source, self.machine.root if source == "pair" else None))
        self.machine.path(f"{PLACE}/__main__.py").write_text(_program("program", self.machine.root))
        self.machine.path("/usr/lib/simulated.py").write_text((SIMULATED / "systemctl.py").read_text())
        for folder in (PAGES, "/srv/backups", "/srv/db", "/srv/draft", "/usr/bin/gate"):
            self.machine.path(folder).mkdir(parents=True)
        self.machine.path(ROWS).touch()

    def _settings(self, name: str) -> list[Item]:
        password = SecretText(parts=(sealed_with(name),))
        secrets = {"repository-password": password, "bucket-secret": ACCESS[1]}
        return [
            File(path=f"/etc/fedikit/data/{name}.json", content=json.dumps(self._told(name)), mode="0600"),
            Directory(path=f"/etc/fedikit/data/{name}"),
            *(File(path=f"/etc/fedikit/data/{name}/{file}", content=content, mode="0600")
              for file, content in secrets.items()),
        ]  # fmt: skip

    def is_read(self) -> None:
        """While it is closed for writing, its unit goes on: nothing of its data is where that could write by itself."""
        self.reads, self.has_volume = (f"{APPLICATION}.service",), False

    def _told(self, name: str) -> dict[str, Any]:
        database = {"host": "127.0.0.1", "port": 5432, "user": name, "encrypted": False, "extensions": []}
        parts = [
            {"id": "postgresql:posts", "kind": "postgresql", "name": ROWS, **database},
            {"id": f"bucket:{NAME}", "kind": "bucket", "endpoint": self.storage.address, "region": "garage",
             "bucket": NAME, "key_id": ACCESS[0], "leave_out": []},
            {"id": f"volume:{VOLUME}", "kind": "volume", "path": VOLUME, "leave_out": []},
        ][: 3 if self.has_volume else 2]  # fmt: skip
        url = {"url": f"/srv/backups/{name}", "access_key": "", "user": "", "upload_kib": 0, "download_kib": 0}
        return {
            "format": 1, "deployment": self.stage.environment.name, "application": name, "host": self.host,
            "repository": url, "keep": {"daily": 2, "weekly": 1, "monthly": 1}, "check_parts": 1, "parts": parts,
            "stop": [f"{name}.service"], "after": [], "images": self.images, "domains": [DOMAIN],
            "reads": [*self.reads],
        }  # fmt: skip

    def _data(self, name: str) -> ApplicationData:
        secret = sealed_with(name)
        parts = (
            PostgresPart(host="127.0.0.1", port=5432, user=name, name="posts", password=secret, encrypted=False),
            BucketPart(name=NAME, endpoint=self.storage.address, region="garage", bucket=NAME,
                       key_id=ACCESS[0], key_secret=secret),
            VolumePart(path=VOLUME),
        )[: 3 if self.has_volume else 2]  # fmt: skip
        about = {"stop": (f"{name}.service",), "images": self.images, "reads": self.reads}
        return ApplicationData(folder=name, parts=parts, **about)

    def boot(self) -> None:
        """The host is switched off and on again."""
        line = f"import sys; sys.path.insert(0, {str(STANDINS)!r}); from pathlib import Path; import pair"
        subprocess.run(
            [sys.executable, "-IS", "-c", f"{line}; pair.boot(Path({str(self.machine.root)!r}))"], check=True
        )

    # What people do, and what is there

    @property
    def is_open(self) -> bool:
        """Whether somebody who comes can write."""
        return self.serves and not list(self.machine.path(PAGES).iterdir()) and not self.refuses_writes

    @property
    def refuses_writes(self) -> bool:
        """Whether its database does."""
        return self.machine.path(f"{ROWS}.refuses").exists()

    def post(self, number: int) -> None:
        """A row, an object and a file."""
        if self.has_volume:
            draft = self.machine.path(f"/srv/draft/{number}")
            draft.write_text(f"{number}\n")
            draft.rename(self.machine.path(f"{VOLUME}/{number}"))
        self.storage.put(f"{number:06}", f"{number}".encode())  # pages of a listing stay what they were
        with self.machine.path(ROWS).open("a") as rows:
            rows.write(f"{number}\n")

    def posts(self) -> tuple[set[int], ...]:
        """What there is, as rows, objects and files."""
        rows = {int(line) for line in self.machine.path(ROWS).read_text().splitlines()}
        objects = {int(key) for key in self.storage.objects}
        if not self.has_volume:
            return rows, objects
        return rows, objects, {int(f.name) for f in self.machine.path(VOLUME).iterdir()}


def _program(source: str, root: Path | None) -> str:
    """A program that is the function `main` of a stand-in, which stays compiled."""
    told, more = (f"Path({str(root)!r})", "from pathlib import Path\n") if root else ("", "")
    lines = f"import sys\n{more}sys.path.insert(0, {str(STANDINS)!r})\nimport {source}\n"
    return f"#!{sys.executable} -IS\n{lines}sys.exit({source}.main({told}))\n"


class RealScene(Scene):
    """Both sides; the old one serves, and somebody writes there."""

    old: RealSide
    new: RealSide

    def __init__(self, staged: Staged) -> None:
        self.old = RealSide(staged("here", name="old", key="5" * 64), "here")
        self.new = RealSide(staged("there", name="new", key="6" * 64), "there")
        self.folder = self.old.machine.root.parent
        self.kept: list[int] = []
        for side, other in ((self.old, self.new), (self.new, self.old)):
            gate = side.machine.path(f"/usr/bin/gate/{APPLICATION}")
            gate.symlink_to(other.machine.path(f"/srv/backups/{APPLICATION}"))
        report = self.old.stage.bring(self.old.wanted)
        assert report.succeeded, report

    @contextmanager
    def units_held(self) -> Iterator[None]:
        """No unit starts or stops meanwhile."""
        with (self.folder / "units.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def post(self) -> None:
        """Somebody writes where it is open; what was written is kept, as far as they know."""
        with self.units_held():
            for side in (self.old, self.new):
                if side.is_open:
                    number = len(self.kept) + 1
                    side.post(number)
                    self.kept.append(number)

    @contextmanager
    def people(self) -> Iterator[None]:
        """Somebody writes all the time."""
        over = threading.Event()

        def write() -> None:
            while not over.wait(PAUSE):
                self.post()

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @property
    def state(self) -> str:
        """How far it has come, in a few words."""
        journal = read_journal(self.sides.journal)
        closed = [side.host for side in (self.old, self.new) if side.is_closed]
        done = journal.done[-1] if journal and journal.done else "nothing"
        return f"{len(self.kept)} posts, done: {done}, closed: {' '.join(closed) or 'none'}"

    def require_never_both(self) -> None:
        both = self.folder / "both"
        assert not both.exists(), both.read_text()
        with self.units_held():
            assert not (self.old.serves and self.new.serves)

    def require_all_is_there(self, serving: RealSide) -> None:
        """This side serves, with all that was ever kept; the other one does not."""
        with self.units_held():
            other = self.new if serving is self.old else self.old
            assert (serving.serves, serving.is_closed, other.serves) == (True, False, False)
            everything = set(self.kept)
            assert not [everything - found for found in serving.posts() if everything - found], "lost"
            assert all(found == everything for found in serving.posts())

    def close(self) -> None:
        for side in (self.old, self.new):
            side.storage.close()
