"""Caches: an instance of Redis or Valkey of each application's own, on its host."""

from typing import ClassVar, Literal

from fedikit.model.item import Directory, File, Package, Unit
from fedikit.model.policy import Place, Policy, Provision
from fedikit.model.resource import Cache
from fedikit.model.secret import SecretRef, SecretText
from fedikit.model.text import number
from fedikit.model.value import Written


class CachePolicy(Written, Policy[Cache]):
    """Runs an instance of its own for each cache, from Debian's packages."""

    fulfils: ClassVar = Cache
    means: Literal["redis", "valkey"] = "redis"
    """The software."""

    def provide(self, request: Cache, place: Place) -> Provision:
        means, password = self.means, SecretRef(name=f"{place.application}/cache")
        port = number(request.at, place.facts)
        data = Directory(path=f"/var/lib/{means}/{request.name}", mode="0750", owner=means, group=means, data=True)
        settings = File(
            path=f"/etc/{means}/{means}-{request.name}.conf",
            content=SecretText(parts=(self._settings(request, data.path, port), "requirepass ", password, "\n")),
            mode="0640",
            owner=means,
            group=means,
        )
        unit = Unit(name=f"{means}-server@{request.name}.service", restart_on=(settings.id,))
        return Provision(
            items=(Package(name=f"{means}-server"), data, settings, unit),
            ports={port: unit.name},
            facts={"host": "127.0.0.1", "port": str(port), "password": password},
        )

    def _settings(self, request: Cache, directory: str, port: int) -> str:
        limit = f"maxmemory {request.max_megabytes}mb\nmaxmemory-policy noeviction\n" if request.max_megabytes else ""
        return (
            f"bind 127.0.0.1 -::1\nport {port}\nsupervised systemd\ndaemonize no\n"
            f'pidfile /run/{self.means}-{request.name}/{self.means}-server.pid\nlogfile ""\n'
            f"dir {directory}\nappendonly yes\nsave 900 1\n{limit}"
        )
