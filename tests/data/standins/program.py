"""The program of backups itself, on a host that is a directory: real, but for what it finds beyond itself.

restic, systemd and the database are stand-ins. A bucket is shown as files by copying it, a repository by links.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "fedikit/data"))

import full
import pair
import restic
from onhost import command, keeping, moments, part, saving
from onhost.places import Places
from onhost.program import main as real_main
from onhost.repository import Repository
from onhost.s3 import Bucket


def main(root):
    """Carries out the command line as if the directory were the whole host."""
    programs = root / "usr/bin"
    full.watch(root)
    set_clock(root / "run/clock")
    command.ENVIRONMENT["PATH"] = f"{programs}:/usr/local/bin:/usr/bin:/bin"
    command.start = _Starting(root, command.start).start
    part.import_module = _imported
    part.CLASSES["postgresql"] = ("rows", "RowsPart")
    saving.shown = _copied
    sys.modules["onhost.knocking"] = _Visitor(root)
    Repository.mount = _linked(programs / "gate")
    return real_main(sys.argv[1:], places=lambda name: _Here(name, root))


class _Visitor:
    """Somebody who posts to a site, and sees what its web server makes of the pages that lie there."""

    def __init__(self, root):
        self.pages = root / "etc/caddy/closed"

    def is_refused(self, site):
        return (self.pages / f"{site}.reading.html").exists()


def set_clock(file):
    """The host's clock is as many seconds ahead as the file says."""
    if not file.exists():
        return
    restic.AHEAD = int(file.read_text())
    ahead = timedelta(seconds=restic.AHEAD)

    class Wrong(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + ahead

    moments.datetime = keeping.datetime = Wrong


class _Starting:
    """Stand-ins that are started are processes of their own, as they would be, but forked: Python starts slowly."""

    SET_DEATH_SIGNAL = 1

    def __init__(self, root, starting):
        self.root, self.starting = root, starting
        self.mains = {"restic": lambda: restic.main(), "systemctl": lambda: pair.main(root)}
        self.library = ctypes.CDLL(None)

    def start(self, words, environment=None, *, stdin=subprocess.DEVNULL, stdout=None, stderr=None, folder=""):
        pipes = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        if words[0] not in self.mains:
            return self.starting(words, environment, folder=folder, **pipes)
        everything = {**command.ENVIRONMENT, **(environment or {})}
        instead = lambda: self._be(words, everything)  # noqa: E731
        return subprocess.Popen(["/bin/true"], cwd="/", start_new_session=True, preexec_fn=instead, **pipes)

    def _be(self, words, environment):
        """Is the stand-in, to its end."""
        for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sign, signal.SIG_DFL)
        self.library.prctl(self.SET_DEATH_SIGNAL, signal.SIGTERM)
        os.closerange(3, 4096)  # whoever started this waits for that
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = [str(self.root / "usr/bin" / words[0]), *words[1:]]
        try:
            status = self.mains[words[0]]() or 0
        except SystemExit as end:
            status = end.code or 0
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            status = 1
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _imported(name, package):
    from importlib import import_module

    return import_module("rows") if name == ".rows" else import_module(name, package)


@dataclass(frozen=True)
class _Here(Places):
    """What the settings name is meant to lie in the directory."""

    @property
    def settings(self):
        written = json.loads(super().settings.read_text())
        written["repository"]["url"] = self._below(written["repository"]["url"])
        for one in written["parts"]:
            for key in {"path", "name"} & one.keys():
                one[key] = self._below(one[key])
        draft = self.root / f"run/settings-{os.getpid()}.json"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(written))
        return draft

    def _below(self, path):
        return f"{self.root}{path}"


@contextlib.contextmanager
def _copied(access, name, folder, hidden):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with Bucket(access, name) as bucket:
        for listed in bucket.objects():
            with bucket.reading(listed.key) as incoming, (folder / listed.key).open("wb") as file:
                while piece := incoming.read(1 << 20):
                    file.write(piece)
    yield folder


def _linked(gate):
    @contextlib.contextmanager
    def mount(repository, folder):
        shutil.rmtree(folder)
        (folder / "ids").mkdir(parents=True)
        url = repository.url
        place = gate / url.rpartition("/")[2] if url.startswith("rest:") else Path(url)
        for snapshot in (place / "files").iterdir():
            (folder / "ids" / snapshot.name[:8]).symlink_to(snapshot)
        yield folder

    return mount
