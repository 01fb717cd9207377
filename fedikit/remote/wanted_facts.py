"""What a host is to tell of itself before something is deployed there: of which disks, and of which ports."""

import re
from typing import Any

from fedikit.model.deployment import Deployment
from fedikit.model.host import HostState

WEB = (80, 443)
MOST_PATHS = 50
_LOCAL = re.compile(r"\b(?:127\.0\.0\.1|localhost):([0-9]{2,5})\b")


def wanted_facts(deployment: Deployment, host: str) -> dict[str, Any]:
    """What the agent is asked about a host that a deployment is for."""
    return {"paths": paths_of(deployment.hosts[host]), "ports": ports_of(deployment, host)}


def paths_of(state: HostState) -> list[str]:
    """The paths whose disks matter: fedikit's own, those of packages and data, and those of containers."""
    containers = ["/var/lib/containers"] if has_images(state) else []
    directories = [path for item in state.items if getattr(item, "data", False) and (path := getattr(item, "path", ""))]
    paths = ["/", "/var/lib/fedikit", "/tmp", *containers, *directories]  # noqa: S108
    return list(dict.fromkeys(paths))[:MOST_PATHS]


def has_images(state: HostState) -> bool:
    return any(item.has_image for item in state.items)


def ports_of(deployment: Deployment, host: str) -> list[int]:
    """Those of the web, if a name leads there, and those that its files name at 127.0.0.1."""
    state = deployment.hosts[host]
    addresses = state.connection.public_addresses
    web = WEB if any(record.address in addresses for record in deployment.dns) else ()
    texts = (getattr(item, "content", None) for item in state.items)
    local = {int(port) for text in texts if isinstance(text, str) for port in _LOCAL.findall(text)}
    return sorted({*web, *(port for port in local if 0 < port < 65536)})
