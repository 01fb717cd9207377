"""The lab: a few real machines on this one, for trying where nothing can break.

It belongs to a directory, which holds its keys and what it remembers. What runs is found by the kernel's own
records, so that a lab of which only half came up, or half went down, can always be completed or cleared.
"""

import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from fedikit.errors import FedikitError
from fedikit.events import HostFinished, Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit_lab import environment
from fedikit_lab.acme import NAME as ACME
from fedikit_lab.acme import PORTS, Acme
from fedikit_lab.authority import kept_authority
from fedikit_lab.client import NAME as CLIENT
from fedikit_lab.client import NUMBER as CLIENT_NUMBER
from fedikit_lab.client import Client, client_role
from fedikit_lab.container import Container
from fedikit_lab.furnish import Identity
from fedikit_lab.image import CODENAME, build_image, image_directory
from fedikit_lab.keys import kept_key
from fedikit_lab.lock import held_lock
from fedikit_lab.machine import Machine
from fedikit_lab.network import ACME_NUMBER, Network, bridge_name, claim_network
from fedikit_lab.requirements import raise_limits, require_host
from fedikit_lab.role import USUAL, Role
from fedikit_lab.state import State, lab_name, load_state, save_state
from fedikit_lab.supply import supply_images
from fedikit_lab.teardown import cgroup_of, container_name, storage_of, take_down

USUAL_MACHINES = ("hello", "cowsay", "social")
_OWN = {CLIENT: CLIENT_NUMBER, ACME: ACME_NUMBER}  # the lab's own machines, no targets
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_LOCK_SECONDS = 900
_TRUST_FILE = "pebble-root.pem"


class Lab:
    """The lab of one directory. As a context manager it is up inside, and down afterwards."""

    def __init__(
        self,
        directory: Path | str = ".lab",
        machines: Sequence[str] = USUAL_MACHINES,
        *,
        acme: bool = True,
        client: bool = False,
        disk: Mapping[str, int] | None = None,
        codename: str = CODENAME,
        roles: Mapping[str, Role] | None = None,
        images: bool = True,
        tell: Tell = tell_nobody,
    ) -> None:
        """Nothing is done yet.

        `disk` limits what machines can write, in megabytes; `acme` and `client` add those machines; `codename` is
        the Debian release of all of them, bookworm (without acme) or trixie; `roles` make machines more than usual;
        `images`: the store is given the lab's own for what machines of these names run.
        """
        self.directory = Path(directory).resolve()
        self.name = lab_name(self.directory)
        self._disk = dict(disk or {})
        self._wanted = tuple(dict.fromkeys(_valid(name) for name in (*machines, *self._disk)))
        self._own = [name for name, is_wanted in ((CLIENT, client), (ACME, acme)) if is_wanted]
        self._roles = dict(roles or {})
        self._codename = codename
        self._with_images = images
        self._tell = tell
        self._state = load_state(self.directory)
        self._machines: dict[str, Machine] = {}

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def __getitem__(self, name: str) -> Machine:
        if name not in self.machines:
            known = ", ".join(self.machines) or "none"
            raise FedikitError(f"the lab has no machine {name!r}; it has: {known}", hint=f"fedikit lab up {name}")
        return self._machines.setdefault(name, self._machine(name))

    @property
    def machines(self) -> tuple[str, ...]:
        """The names of all machines that the lab knows, `acme` last."""
        return tuple(sorted(self._state.machines, key=lambda name: (name == ACME, name == CLIENT, name)))

    @property
    def environment_file(self) -> Path:
        """The environment that fedikit is given to work with this lab."""
        return self.directory / environment.FILE

    @property
    def deployer_address(self) -> str:
        """Where machines of the lab, once it is up, find this machine."""
        return self._network.address(1)

    @property
    def acme(self) -> Acme:
        """The lab's ACME authority and DNS."""
        if ACME not in self._state.machines:
            raise FedikitError("the lab has no ACME authority", hint="fedikit lab up, without --no-acme")
        return Acme(self._network.address(ACME_NUMBER), kept_authority(self.directory))

    @property
    def client(self) -> Client:
        """The lab's browser."""
        if CLIENT not in self._state.machines:
            raise FedikitError("the lab has no client", hint="boot it with client=True")
        return Client(self[CLIENT])

    def up(self) -> None:
        """Boots what is wanted and does not run; machines that run are kept. Writes the environment file."""
        require_host()
        raise_limits()
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with held_lock(self.directory / "lock", seconds=_LOCK_SECONDS):
            self._claim()
            names = (*self._wanted, *self._own)
            machines = [self[name] for name in names]
            for role in {role.base: role for role in (USUAL, *map(self._role_of, names))}.values():
                build_image(self._codename, role=role, tell=self._tell)
            supply_images(self._wanted if self._with_images else (), tell=self._tell)
            with ThreadPoolExecutor(max_workers=len(machines) or 1) as pool:
                list(pool.map(self._bring_up, machines))
            self._serve_names()
            self._write_environment()

    def down(self) -> None:
        """Shuts every machine down and forgets what was written to it; keys and addresses are kept."""
        require_host()
        for machine in self._machines.values():
            machine.let_go()
        if not self.directory.is_dir():
            take_down(self.name)
            return
        with held_lock(self.directory / "lock", seconds=_LOCK_SECONDS):
            self.environment_file.unlink(missing_ok=True)
            (self.directory / _TRUST_FILE).unlink(missing_ok=True)
            take_down(self.name)
            self._remember(replace(load_state(self.directory), dns={}))

    def reset(self, name: str) -> None:
        """Makes one machine as new and boots it."""
        self[name].reset()
        if name == ACME:
            self._serve_names()

    def set_dns(self, names: Mapping[str, str]) -> None:
        """Makes the lab's DNS answer those names with those addresses, beside `<machine>.lab`."""
        self._remember(replace(self._state, dns={**self._state.dns, **names}))
        self._serve_names()

    def announce(self, deployment: Deployment) -> None:
        """Makes the lab's DNS answer a deployment's names with its hosts' addresses."""
        self.set_dns({record.name: record.address for record in deployment.dns})

    def acme_root(self) -> str:
        """The root (PEM) of the certificates that the lab's ACME authority issues."""
        return self.acme.issuing_root()

    def _claim(self) -> None:
        """Fixes the lab's addresses. Comes before all else: from here on they cannot leave this machine."""
        state = load_state(self.directory)
        network = claim_network(self.name, state.subnet)
        if network.number != state.subnet:  # no earlier address holds
            state = replace(state, subnet=network.number, dns={})
            self._machines.clear()
        for name in self._wanted:
            state = state.with_machine(name)
        state = replace(state, machines={**state.machines, **{name: _OWN[name] for name in self._own}})
        self._remember(state)

    def _remember(self, state: State) -> None:
        save_state(self.directory, state)
        self._state = state

    def _bring_up(self, machine: Machine) -> None:
        started = time.monotonic()
        is_kept = machine.is_running() and machine.answers()
        if not is_kept:
            machine.start()
        outcome, detail = ("same", "runs already") if is_kept else ("changed", "booted")
        seconds = time.monotonic() - started
        self._tell(HostFinished(host=machine.name, outcome=outcome, seconds=seconds, detail=detail))

    def _machine(self, name: str) -> Machine:
        host_key, client_key = kept_key(self.directory / "host_keys" / name), kept_key(self.directory / "id_ed25519")
        network = self._network
        identity = Identity(
            lab=self.name,
            name=name,
            address=network.address(self._state.machines[name]),
            name_server=network.address(ACME_NUMBER),
            host_key=host_key.private,
            host_key_public=host_key.public,
            client_key=client_key.public,
        )
        return Machine(
            identity,
            self._container(name),
            key_file=self.directory / "id_ed25519",
            disk=self._disk.get(name),
            furnish_more=self._role_of(name).furnish,
        )

    def _role_of(self, name: str) -> Role:
        """What makes a machine more than a usual one."""
        if name == CLIENT:
            return client_role(deployer=self._network.address(1))
        return Role(furnish=self.acme.furnish) if name == ACME else self._roles.get(name, USUAL)

    def _container(self, name: str) -> Container:
        return Container(
            name=container_name(self.name, name),
            hostname=name,
            base=image_directory(self._codename, role=self._role_of(name)),
            directory=storage_of(self.name) / name,
            cgroup=cgroup_of(self.name) / name,
            bridge=self._network.bridge,
        )

    @property
    def _network(self) -> Network:
        if self._state.subnet is None:
            raise FedikitError("the lab is not up", hint="fedikit lab up")
        return Network(bridge_name(self.name), self._state.subnet)

    def _serve_names(self) -> None:
        """Tells the DNS server every name it is to answer: it forgets them when it stops."""
        if ACME not in self.machines or not self[ACME].is_running():
            return
        for port in PORTS:
            self[ACME].wait_for_port(port)
        service = self.acme
        own = {f"{name}.lab": self[name].address for name in self.machines}
        for name, address in {**own, **self._state.dns}.items():
            service.set_name(name, address)
        (self.directory / _TRUST_FILE).write_text(service.issuing_root())

    def _write_environment(self) -> None:
        running = [self[name] for name in self.machines if self[name].is_running()]
        hosts = [environment.LabHost(host.name, host.address, host.host_key) for host in running]
        with_acme = any(host.name == ACME for host in hosts)
        environment.write_environment(
            self.directory,
            [host for host in hosts if host.name not in _OWN],
            name_server=self._network.address(ACME_NUMBER) if with_acme else None,
        )


def _valid(name: str) -> str:
    if not _NAME.fullmatch(name) or name in _OWN:
        hint = "small letters, digits and hyphens, 32 at most; `acme` and `client` are the lab's own"
        raise FedikitError(f"no machine of the lab can be called {name!r}", hint=hint)
    return name
