"""One-off jobs in containers, on a real machine: never doubled, never cut in half, stopped when their time is over."""

import shlex
import time
from collections.abc import Iterator

import pytest

from fedikit.model import File
from fedikit.policies.numbers import FIRST, first_number
from fedikit.policies.scripts import script
from fedikit.store import Images, Store, default_directory
from fedikit_lab import Lab
from fedikit_lab.machine import Machine
from tests.failure.scene import Scene
from tests.lab.test_container_images import ONE, PODMAN, busybox, image_of, taken

pytestmark = pytest.mark.lab

__all__ = ["busybox"]
RUN_ONCE = "/run/run-once"
MAP = f"--uidmap=0:{first_number('probe')}:65536 --gidmap=0:{first_number('probe')}:65536"
OPTIONS = f"--network=host --pull=never {MAP} --volume=/srv/probe:/data {ONE}"


@pytest.fixture(scope="module")
def prepared(busybox: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A machine with Podman, a small image and the script."""
    folder = tmp_path_factory.mktemp("jobs")
    lists = default_directory() / "apt"
    with pytest.MonkeyPatch.context() as patch, Lab(folder / "lab", machines=("one",), acme=False) as lab:
        patch.setenv("FEDIKIT_CACHE", str(folder / "cache"))
        Store().directory.mkdir(parents=True)
        (Store().directory / "apt").symlink_to(lists)
        image = taken(Images(), ONE, image_of(busybox, "one"), folder)
        assert (
            Scene(lab, "one").apply(one=[PODMAN, image, File(path=RUN_ONCE, content=script("run_once.py"))]).succeeded
        )
        yield lab


@pytest.fixture
def machine(prepared: Lab) -> Iterator[Machine]:
    """With an empty directory that the container's root may write to."""
    one, root = prepared["one"], first_number("probe")
    one.succeed(f"rm -rf /srv/probe && mkdir -p /srv/probe && chown {root} /srv/probe")
    yield one
    one.succeed("podman rm --force --ignore --time=0 probe")


def command(work: str, seconds: int = 60) -> str:
    words = " ".join(["/bin/busybox", "sh", "-c", shlex.quote(work.replace("sleep", "/bin/busybox sleep"))])
    return f"python3 -I {RUN_ONCE} probe {seconds} {OPTIONS} {words}"


WORK = "trap 'exit 3' TERM; echo begun >>/data/log; read word; echo $word; sleep 6 & wait; echo through >>/data/log"


def begin_and_kill(machine: Machine, signal: str) -> None:
    """Begins the work, and ends whoever began it while it is at it."""
    machine.succeed(f"echo hello >/run/word; setsid {command(WORK)} </run/word >/run/out 2>&1 & echo $! >/run/pid")
    machine.succeed("for _ in $(seq 100); do grep -q begun /srv/probe/log && break; sleep 0.1; done")
    machine.succeed(f"kill -{signal} $(cat /run/pid)")


def test_what_was_cut_off_is_joined_and_not_done_twice(machine: Machine) -> None:
    begin_and_kill(machine, "KILL")

    said = machine.succeed(f"echo hello | {command(WORK)}")

    assert said.strip() == "hello"
    assert machine.succeed("cat /srv/probe/log").split() == ["begun", "through"]
    machine.fails("podman container exists probe")


def test_what_ended_well_while_nobody_looked_counts(machine: Machine) -> None:
    begin_and_kill(machine, "KILL")
    machine.succeed("for _ in $(seq 100); do grep -q through /srv/probe/log && break; sleep 0.1; done; sleep 1")

    machine.succeed(f"echo hello | {command(WORK)}")

    assert machine.succeed("cat /srv/probe/log").split() == ["begun", "through"]


def test_other_words_have_it_stopped_and_begin_anew(machine: Machine) -> None:
    begin_and_kill(machine, "KILL")

    machine.succeed(command("echo other >>/data/log"))

    assert machine.succeed("cat /srv/probe/log").split() == ["begun", "other"]


def test_whoever_is_told_to_end_ends_the_container(machine: Machine) -> None:
    begin_and_kill(machine, "TERM")
    machine.succeed("for _ in $(seq 300); do podman container exists probe || break; sleep 0.1; done")

    machine.fails("podman container exists probe")
    assert machine.succeed("cat /srv/probe/log").split() == ["begun"]
    assert "was told to end" in machine.succeed("cat /run/out")


def test_when_its_time_is_over_it_is_stopped(machine: Machine) -> None:
    began = time.monotonic()

    said = machine.fails(command("trap 'exit 3' TERM; sleep 100 & wait", seconds=2))

    assert "probe was stopped: it was not through after 2 s" in said
    assert time.monotonic() - began < 50
    machine.fails("podman container exists probe")


def test_a_failure_is_told_with_its_status_and_is_not_joined(machine: Machine) -> None:
    machine.fails(command("echo no >&2; exit 7"))
    machine.fails(command("echo tried >>/data/log; exit 7"))

    assert machine.succeed("cat /srv/probe/log").split() == ["tried"]


def test_its_users_are_nobody_on_the_host(machine: Machine) -> None:
    machine.succeed(command("echo mine >/data/file"))

    assert int(machine.succeed("stat --format=%u /srv/probe/file")) == first_number("probe") >= FIRST
