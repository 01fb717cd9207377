"""The tools that are measured: what each is given, and the one command that is its whole run.

None of them is helped or hindered: each has its own defaults for speed, one key, and a file of known host keys.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import wanted

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
PEERS = BIN.parent / "bench" / "bin"
DEADLINE_SECONDS = 600


@dataclass(frozen=True)
class Target:
    """A machine, as every tool reaches it: as root, with one key."""

    name: str
    address: str
    port: int
    host_key: str
    key_file: Path

    @property
    def known_host(self) -> str:
        """Its line in a file of known hosts."""
        return f"{self.address if self.port == 22 else f'[{self.address}]:{self.port}'} {self.host_key}\n"


@dataclass(frozen=True)
class Outcome:
    """How one run of a tool ended."""

    seconds: float
    output: str


@dataclass(frozen=True)
class Tool:
    """A command that deals with all targets at once.

    `same` stands in its output for each host, or for each operation on each host, when nothing had to change.
    """

    name: str
    command: Sequence[str]
    same: str = ""
    operations: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self) -> Outcome:
        """Runs it to its end and takes the time; raises if it fails."""
        with tempfile.TemporaryDirectory() as scratch:  # Ansible's kept connections must not outlive one run
            environment = {**_plain_environment(), "ANSIBLE_SSH_CONTROL_PATH_DIR": scratch, **self.environment}
            started = time.perf_counter()
            done = subprocess.run(
                self.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=DEADLINE_SECONDS,
                check=False,
            )
            seconds = time.perf_counter() - started
        if done.returncode:
            raise RuntimeError(f"{self.name} ended with {done.returncode}:\n{done.stdout[-3000:]}")
        return Outcome(seconds, done.stdout)

    def run_without_change(self, machines: int) -> Outcome:
        """The same; raises if it changed anything anywhere."""
        outcome = self.run()
        if self.same and outcome.output.count(self.same) != machines * self.operations:
            raise RuntimeError(f"{self.name} was to change nothing:\n{outcome.output[-3000:]}")
        return outcome


def all_tools(targets: Sequence[Target], directory: Path) -> dict[str, Tool]:
    """The tools by name, in the order in which they take turns; what they read is written to the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "known_hosts").write_text("".join(target.known_host for target in targets))
    for path, text in wanted.files().items():
        source = directory / "sources" / path.lstrip("/")
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text)
    makers = (ssh, fedikit, pyinfra, ansible)
    return {tool.name: tool for tool in (make(targets, directory) for make in makers)}


def ssh(targets: Sequence[Target], directory: Path) -> Tool:
    """The floor: one OpenSSH process a host, all at the same time, each to run `true`."""
    options = ["-F", "none", *(part for option in _ssh_options(targets, directory) for part in ("-o", option))]
    lines = [shlex.join(["ssh", *options, *_ssh_target(target), "true"]) for target in targets]
    script = "; ".join(f'{line} & jobs="$jobs $!"' for line in lines)
    return Tool("ssh", ["sh", "-c", f"{script}; for job in $jobs; do wait $job || exit 1; done"])


def fedikit(targets: Sequence[Target], directory: Path) -> Tool:
    """The command line as everybody uses it, with an application that comes through an entry point."""
    package = directory / "fedikit_servers-1.dist-info"
    package.mkdir(exist_ok=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: fedikit-servers\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[fedikit.applications]\nservers = servers:Servers\n")
    environment, configuration = directory / "environment.toml", directory / "configuration.json"
    environment.write_text(environment_text(targets))
    configuration.write_text(configuration_text("servers"))
    command = [f"{BIN / 'fedikit'}", "apply", f"{configuration}", "--environment", f"{environment}", "--yes"]
    return Tool("fedikit", command, "nothing to change", environment={"PYTHONPATH": f"{directory}:{HERE}"})


def configuration_text(application: str) -> str:
    person = {"displayName": "Test", "username": "test", "email": "test@fediversity.test"}
    return json.dumps({"domain": "fediversity.test", application: {"enable": True}, "initialUser": person})


def environment_text(targets: Sequence[Target], application: str = "servers") -> str:
    names = json.dumps([target.name for target in targets])
    head = f'name = "bench"\n[policies.login-shell]\nuser = "{wanted.USER}"\n[placement]\n{application} = {names}\n'
    return head + "".join(
        f'[hosts.{target.name}]\naddress = "{target.address}"\nport = {target.port}\n'
        f'host_key = "{target.host_key}"\nidentity_file = "{target.key_file}"\n'
        for target in targets
    )


def pyinfra(targets: Sequence[Target], directory: Path) -> Tool:
    """pyinfra with a deploy of the same items."""
    inventory = directory / "inventory.py"
    hosts = [(target.name, _pyinfra_data(target, directory)) for target in targets]
    inventory.write_text(f"hosts = {hosts!r}\n")
    command = [f"{PEERS / 'pyinfra'}", "--yes", f"{inventory}", f"{HERE / 'peers' / 'deploy.py'}"]
    operations = 1 + 1 + len(wanted.files()) + len(wanted.SERVICES)
    return Tool("pyinfra", command, "No changes", operations, {"PYTHONPATH": f"{HERE}"})


def _pyinfra_data(target: Target, directory: Path) -> dict[str, object]:
    return {
        "ssh_hostname": target.address,
        "ssh_port": target.port,
        "ssh_user": "root",
        "ssh_key": str(target.key_file),
        "ssh_known_hosts_file": str(directory / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
        "sources": str(directory / "sources"),
    }


def ansible(targets: Sequence[Target], directory: Path) -> Tool:
    """Ansible with a playbook of the same items, no facts gathered, modules piped, ten hosts at a time."""
    inventory = directory / "inventory.json"
    inventory.write_text(json.dumps(_ansible_inventory(targets, directory)))
    options = " ".join(f"-o {option}" for option in _ssh_options(targets, directory))
    environment = {
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_FORKS": "10",
        "ANSIBLE_SSH_COMMON_ARGS": f"-F none {options}",
        "ANSIBLE_LOCAL_TEMP": str(directory / "ansible"),
        "PATH": f"{PEERS}:{os.environ['PATH']}",
    }
    command = [f"{PEERS / 'ansible-playbook'}", "--inventory", f"{inventory}", f"{HERE / 'peers' / 'playbook.yml'}"]
    return Tool("ansible", command, "changed=0", environment=environment)


def _ansible_inventory(targets: Sequence[Target], directory: Path) -> dict[str, object]:
    hosts = {target.name: {"ansible_host": target.address, "ansible_port": target.port} for target in targets}
    variables = {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "packages": wanted.PACKAGES,
        "account": wanted.USER,
        "sources": str(directory / "sources"),
        "paths": list(wanted.files()),
        "services": wanted.SERVICES,
    }
    return {"all": {"hosts": hosts, "vars": variables}}


def _ssh_options(targets: Sequence[Target], directory: Path) -> list[str]:
    return [
        f"UserKnownHostsFile={directory / 'known_hosts'}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        f"IdentityFile={targets[0].key_file}",
        "IdentitiesOnly=yes",
    ]


def _ssh_target(target: Target) -> list[str]:
    return ["-p", str(target.port), f"root@{target.address}"]


def _plain_environment() -> dict[str, str]:
    """The environment without what would change how tools behave: keys of an agent, settings of Ansible, colours."""
    unwanted = ("SSH_", "ANSIBLE_", "PYINFRA_", "PYTHON", "NO_COLOR", "FORCE_COLOR")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def versions() -> dict[str, str]:
    """The versions of what is measured against."""
    listed = subprocess.run(
        [f"{PEERS / 'pip'}", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    found = {package["name"]: package["version"] for package in json.loads(listed)}
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, timeout=10, check=True).stderr
    return {"pyinfra": found["pyinfra"], "ansible-core": found["ansible-core"], "ssh": ssh.split(",")[0].strip()}
