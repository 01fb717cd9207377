"""One-off jobs in containers, on a real machine: never doubled, never cut in half, stopped when their time is over."""

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedikit.model import File
from fedikit.model.item import Image
from fedikit.policies.numbers import FIRST, first_number
from fedikit.policies.scripts import script
from fedikit.store import Images
from fedikit_lab import Lab
from tests.failure.scene import Scene
from tests.images import SmallImage
from tests.lab.test_container_images import ONE, PODMAN, busybox, images, lab, scene, small, taken  # noqa: F401

pytestmark = pytest.mark.lab

RUN_ONCE = "/run/run-once"
MAP = f"--uidmap=0:{first_number('probe')}:65536 --gidmap=0:{first_number('probe')}:65536"
OPTIONS = f"--network=host --pull=never {MAP} --volume=/srv/probe:/data {ONE}"


@pytest.fixture
def machine(lab: Lab, scene: Scene, images: Images, small: SmallImage, tmp_path: Path) -> Iterator[str]:  # noqa: F811
    """Its name; it has Podman, a small image, the script, and a directory that the container's root may write to."""
    item: Image = taken(images, ONE, small, tmp_path)
    file = File(path=RUN_ONCE, content=script("run_once.py"))
    assert scene.apply(one=[PODMAN, item, file]).succeeded
    lab["one"].succeed(f"mkdir -p /srv/probe && chown {first_number('probe')} /srv/probe && rm -f /srv/probe/*")
    yield "one"
    lab["one"].succeed("podman rm --force --ignore --time=0 probe")


def command(work: str, seconds: int = 60) -> str:
    words = " ".join(["/bin/busybox", "sh", "-c", shlex.quote(work.replace("sleep", "/bin/busybox sleep"))])
    return f"python3 -I {RUN_ONCE} probe {seconds} {OPTIONS} {words}"


WORK = "echo begun >>/data/log; read word; echo $word; sleep 6; echo through >>/data/log"


def begin_and_kill(lab: Lab, signal: str) -> None:  # noqa: F811
    """Begins the work, and ends whoever began it while it is at it."""
    lab["one"].succeed(f"echo hello >/run/word; setsid {command(WORK)} </run/word >/run/out 2>&1 & echo $! >/run/pid")
    lab["one"].succeed("for _ in $(seq 100); do grep -q begun /srv/probe/log && break; sleep 0.1; done")
    lab["one"].succeed(f"kill -{signal} $(cat /run/pid)")


def test_what_was_cut_off_is_joined_and_not_done_twice(lab: Lab, machine: str) -> None:  # noqa: F811
    begin_and_kill(lab, "KILL")

    said = lab["one"].succeed(f"echo hello | {command(WORK)}")

    assert said == "hello"
    assert lab["one"].succeed("cat /srv/probe/log").split() == ["begun", "through"]
    lab["one"].fails("podman container exists probe")


def test_what_ended_well_while_nobody_looked_counts(lab: Lab, machine: str) -> None:  # noqa: F811
    begin_and_kill(lab, "KILL")
    lab["one"].succeed("for _ in $(seq 100); do grep -q through /srv/probe/log && break; sleep 0.1; done; sleep 1")

    lab["one"].succeed(f"echo hello | {command(WORK)}")

    assert lab["one"].succeed("cat /srv/probe/log").split() == ["begun", "through"]


def test_other_words_have_it_stopped_and_begin_anew(lab: Lab, machine: str) -> None:  # noqa: F811
    begin_and_kill(lab, "KILL")

    lab["one"].succeed(command("echo other >>/data/log"))

    assert lab["one"].succeed("cat /srv/probe/log").split() == ["begun", "other"]


def test_whoever_is_told_to_end_ends_the_container(lab: Lab, machine: str) -> None:  # noqa: F811
    begin_and_kill(lab, "TERM")
    lab["one"].succeed("for _ in $(seq 300); do podman container exists probe || break; sleep 0.1; done")

    lab["one"].fails("podman container exists probe")
    assert lab["one"].succeed("cat /srv/probe/log").split() == ["begun"]
    assert "was told to end" in lab["one"].succeed("cat /run/out")


def test_when_its_time_is_over_it_is_stopped(lab: Lab, machine: str) -> None:  # noqa: F811
    began = time.monotonic()

    said = lab["one"].fails(command("trap 'exit 3' TERM; sleep 100 & wait", seconds=2))

    assert "probe was stopped: it was not through after 2 s" in said
    assert time.monotonic() - began < 50
    lab["one"].fails("podman container exists probe")


def test_a_failure_is_told_with_its_status_and_is_not_joined(lab: Lab, machine: str) -> None:  # noqa: F811
    lab["one"].fails(command("echo no >&2; exit 7"))
    lab["one"].fails(command("echo tried >>/data/log; exit 7"))

    assert lab["one"].succeed("cat /srv/probe/log") == "tried"


def test_its_users_are_nobody_on_the_host(lab: Lab, machine: str) -> None:  # noqa: F811
    lab["one"].succeed(command("echo mine >/data/file"))

    assert int(lab["one"].succeed("stat --format=%u /srv/probe/file")) == first_number("probe") >= FIRST
