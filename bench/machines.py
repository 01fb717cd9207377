"""The machines that are measured on: a lab of their own, with what the tools need beside what they shall do."""

import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import wanted
from tools import Target

import fedikit
from fedikit.model import Deployment, HostState, Package, Secrets, Ssh
from fedikit_lab import Lab
from fedikit_lab.image import CODENAME
from fedikit_lab.machine import Machine

ANSIBLE_NEEDS = ("python3-apt",)


@contextmanager
def booted(directory: Path, count: int, codename: str = CODENAME) -> Iterator[list[Machine]]:
    """That many fresh machines of a Debian release, taken away afterwards."""
    names = [f"m{number}" for number in range(1, count + 1)]
    with Lab(directory, names, acme=False, codename=codename) as lab:
        machines = [lab[name] for name in names]
        furnish(machines)
        yield machines


def furnish(machines: list[Machine]) -> None:
    """Installs all packages, by fedikit, which then forgets them: no tool finds them to be its own."""
    packages = tuple(Package(name=name) for name in (*wanted.PACKAGES, *ANSIBLE_NEEDS))
    hosts = {
        target.name: HostState(
            items=packages,
            connection=Ssh(
                address=target.address, port=22, host_key=target.host_key, identity_file=str(target.key_file)
            ),
        )
        for target in map(target_of, machines)
    }
    deployment = Deployment(name="furniture", hosts=hosts, secrets=Secrets())
    report = fedikit.apply_plan(fedikit.make_plan(deployment))
    if not report.succeeded:
        raise RuntimeError(f"the machines could not be furnished: {report.hosts}")
    clear(machines)


def target_of(machine: Machine, port: int = 22, address: str = "") -> Target:
    """How tools reach a machine: directly, or at another place that leads there."""
    return Target(machine.name, address or machine.address, port, machine.host_key, machine.key_file)


def clear(machines: list[Machine]) -> None:
    """Takes away files, units and user, and everything that any tool keeps on a host; the packages stay."""
    services, files = shlex.join(wanted.SERVICES), shlex.join(wanted.files())
    lines = [
        f"for unit in {services}; do [ ! -e /etc/systemd/system/$unit ] || systemctl --quiet disable --now $unit; done",
        f"rm -rf {files} /var/lib/fedikit /root/.ansible",
        f"! id {wanted.USER} >/dev/null 2>&1 || userdel --remove {wanted.USER} 2>/dev/null",
        "systemctl daemon-reload",
    ]
    _everywhere(machines, lambda machine: machine.succeed("\n".join(["set -e", *lines])))


def expect_all(machines: list[Machine]) -> None:
    """Raises unless every item is on every machine: no tool is fast by leaving something out."""
    sums = "cat <<'END' | sha256sum --check --quiet\n" + _sums() + "END"
    lines = [
        f"dpkg-query --show {shlex.join(wanted.PACKAGES)} >/dev/null",
        f"id {wanted.USER} >/dev/null",
        sums,
        f"systemctl --quiet is-enabled {shlex.join(wanted.SERVICES)}",
        *(f"systemctl --quiet is-active {name}" for name in wanted.SERVICES),
    ]
    _everywhere(machines, lambda machine: machine.succeed("\n".join(["set -e", *lines])))


def _sums() -> str:
    from hashlib import sha256

    return "".join(f"{sha256(text.encode()).hexdigest()}  {path}\n" for path, text in wanted.files().items())


def _everywhere(machines: list[Machine], act: Callable[[Machine], object]) -> None:
    with ThreadPoolExecutor(max_workers=len(machines)) as pool:
        list(pool.map(act, machines))
