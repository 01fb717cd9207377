"""Garage: what it takes to run it on a host."""

from fedikit.model.item import Job, SecretRef, SecretText
from fedikit.model.request import Container, HostItems, MountedFile, Request, Volume
from fedikit.policies.garage_layout import LAYOUT_SCRIPT
from fedikit.policies.quadlet import FOLDER

IMAGE = "docker.io/dxflrs/garage:v2.5.0"
TOKEN_FILE = f"{FOLDER}/garage/admin-token"
_GIGABYTE = 10**9
_SETTINGS = """\
metadata_dir = "/var/lib/garage/meta"
data_dir = "/var/lib/garage/data"
db_engine = "lmdb"
metadata_auto_snapshot_interval = "6h"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:3901"
rpc_public_addr = "127.0.0.1:3901"
rpc_secret_file = "/etc/garage/rpc-secret"

[s3_api]
api_bind_addr = "{address}:3900"
s3_region = "garage"

[s3_web]
bind_addr = "127.0.0.1:3902"
root_domain = ".web.garage.internal"

[admin]
api_bind_addr = "127.0.0.1:3903"
admin_token_file = "/etc/garage/admin-token"
"""


def garage(address: str, zone: str, capacity_gigabytes: int) -> tuple[Request, ...]:
    """The requests that make one node of it; its S3 API answers at the address, all else on the host itself."""
    token = SecretRef(name="garage/admin-token", format="hex64")
    container = Container(
        name="garage",
        family="garage",
        image=IMAGE,
        volumes=(
            Volume(name="garage-meta", mount="/var/lib/garage/meta"),
            Volume(name="garage-data", mount="/var/lib/garage/data"),
        ),
        files=(
            MountedFile(mount="/etc/garage.toml", content=_SETTINGS.format(address=bracketed(address))),
            MountedFile(mount="/etc/garage/rpc-secret", content=SecretRef(name="garage/rpc", format="hex64")),
            MountedFile(mount="/etc/garage/admin-token", content=token),
        ),
        ports=(3900, 3901, 3902, 3903),
        stop_seconds=60,
    )
    command = ("python3", "-I", "-c", LAYOUT_SCRIPT)
    arguments = (zone, str(capacity_gigabytes * _GIGABYTE))
    layout = Job(
        name="garage layout",
        run=(*command, "make", *arguments),
        check=(*command, "check", *arguments),
        stdin=SecretText(parts=(token,)),
    )
    return (container, HostItems(items=(layout,)))


def bracketed(address: str) -> str:
    """An IP address as it stands before a port."""
    return f"[{address}]" if ":" in address else address
