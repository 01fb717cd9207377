"""Two providers in one lab: Mastodon, PostgreSQL and Garage on one machine of the old one, on three of the new one."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from fedikit.data.migration.sides import Sides, load_sides
from fedikit.model import Deployment
from fedikit.secrets import new_key
from fedikit_lab import Lab, Machine
from fedikit_lab.acme import DIRECTORY_PORT, HOST
from fedikit_lab.keys import write_private
from fedikit_lab.supply import mirrors

DOMAIN = "fediversity.test"
EMAIL = f"test@{DOMAIN}"
OLD, NEW = "old", "new"
MACHINES: Mapping[str, tuple[str, ...]] = {OLD: ("mastodon",), NEW: ("web", "database", "garage")}
"""Their names are the lab's; it knows by them which images it has to have ready."""
PLACES: Mapping[str, Mapping[str, str]] = {
    OLD: {"application": "mastodon", "database": "mastodon", "bucket": "mastodon"},
    NEW: {"application": "web", "database": "database", "bucket": "garage"},
}
CONFIGURATION = {
    "domain": DOMAIN,
    "initialUser": {"displayName": "Testy McTestface", "username": "test", "email": EMAIL},
    "mastodon": {"enable": True},
}


class Providers:
    """Both environments, each with a file and a master key of its own, and the one configuration."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.configuration = lab.directory / "configuration.json"
        self.configuration.write_text(json.dumps(CONFIGURATION))
        self.files = {name: self._write(name) for name in (OLD, NEW)}
        for name in (OLD, NEW):
            self.machine(name, "application").succeed("mkdir -p /srv/backups")
        lab.set_dns({DOMAIN: self.machine(OLD, "application").address})  # addresses need a domain that receives mail

    def machine(self, side: str, what: str) -> Machine:
        """The machine of a side that has the application, its database or its bucket."""
        return self.lab[PLACES[side][what]]

    def sides(self) -> Sides:
        return load_sides(self.files[OLD], self.files[NEW], self.configuration)

    def deployment(self, side: str) -> Deployment:
        return dict(zip((OLD, NEW), self.sides().deployments(), strict=True))[side]

    def _write(self, name: str) -> Path:
        path = self.lab.directory / f"{name}.toml"
        write_private(path.with_suffix(".key"), f"{new_key()}\n")
        tables = [_table("", {"name": name}), *(_host(self.lab[one]) for one in MACHINES[name])]
        path.write_text("\n".join([*tables, *_policies(PLACES[name], name, self.lab.acme.address)]))
        return path


def _policies(places: Mapping[str, str], name: str, dns: str) -> Iterable[str]:
    acme = {"acme_directory": f"https://{HOST}:{DIRECTORY_PORT}/dir", "acme_root": "acme-ca.pem"}
    yield _table("policies.web", {"means": "caddy", **acme, "trust": "pebble-root.pem"})
    yield _table("policies.bucket", {"means": "garage", "host": places["bucket"], "capacity_gigabytes": 2})
    if places["database"] != places["application"]:
        yield _table("policies.postgresql", {"host": places["database"]})
    yield _table("policies.backup", {"repository": "/srv/backups"})
    yield _table("policies.container.mirrors", mirrors())
    yield _table("network", {"dns": dns, "trust": "pebble-root.pem"})
    yield _table("secrets", {"master_key": f"file:{name}.key"})
    yield _table("placement", {"mastodon": places["application"]})


def _host(machine: Machine) -> str:
    values = {"address": machine.address, "host_key": machine.host_key, "identity_file": str(machine.key_file)}
    return _table(f"hosts.{machine.name}", values)


def _table(name: str, values: Mapping[str, str | int]) -> str:
    head = f"[{name}]\n" if name else ""
    return head + "".join(f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in values.items())
