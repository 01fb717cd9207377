"""Garage: what it takes to run a node of it on a host, alone or as one of several."""

from fedikit.model.item import Job
from fedikit.model.request import Container, HostItems, MountedFile, Request, Volume
from fedikit.model.secret import SecretRef, SecretText
from fedikit.model.stores import Cluster, Member
from fedikit.policies.quadlet import FOLDER
from fedikit.policies.scripts import script

IMAGE = "docker.io/dxflrs/garage:v2.5.0"
TOKEN_FILE = f"{FOLDER}/garage/admin-token"
RPC_PORT = 3901
OBJECTS = "garage-data"
"""The volume in which a node keeps objects."""
_TOKEN = SecretRef(name="garage/admin-token", format="hex64")
_BUCKET_SECONDS = 700
_SETTINGS = """\
metadata_dir = "/var/lib/garage/meta"
data_dir = "/var/lib/garage/data"
db_engine = "lmdb"
metadata_auto_snapshot_interval = "6h"
replication_factor = {copies}
rpc_bind_addr = "{rpc}"
rpc_public_addr = "{rpc}"
rpc_secret_file = "/etc/garage/rpc-secret"
rpc_timeout_msec = 10000

[s3_api]
api_bind_addr = "{s3}"
s3_region = "garage"

[s3_web]
bind_addr = "127.0.0.1:3902"
root_domain = ".web.garage.internal"

[admin]
api_bind_addr = "127.0.0.1:3903"
admin_token_file = "/etc/garage/admin-token"
"""


def node(s3: str, rpc: str, copies: int) -> Container:
    """One node of it; its S3 API and its RPC answer at these addresses, all else on the host itself."""
    return Container(
        name="garage",
        family="garage",
        image=IMAGE,
        volumes=(
            Volume(name="garage-meta", mount="/var/lib/garage/meta"),
            Volume(name=OBJECTS, mount="/var/lib/garage/data"),
        ),
        files=(
            MountedFile(mount="/etc/garage.toml", content=_SETTINGS.format(s3=s3, rpc=rpc, copies=copies)),
            MountedFile(mount="/etc/garage/rpc-secret", content=SecretRef(name="garage/rpc", format="hex64")),
            MountedFile(mount="/etc/garage/admin-token", content=_TOKEN),
        ),
        ports=(3900, RPC_PORT, 3902, 3903),
        stop_seconds=60,
    )


def cluster(host: str, members: tuple[Member, ...], copies: int) -> Request:
    """Who has which role in it, as the first host is told; the others only hear how many copies there are."""
    return HostItems(items=(Cluster(host=host, members=members, copies=copies, token_file=TOKEN_FILE),))


def node_id(host: str) -> SecretRef:
    """The id by which a host's node is known. That it never changes is its key's to say, which lies on that host."""
    return SecretRef(name=f"garage/node-{host}", format="garage-node-id")


def own_key(host: str) -> Request:
    """Gives a host's node the key of that id."""
    key = SecretRef(name=f"garage/node-{host}", format="garage-node-key", permanent=True)
    return HostItems(items=(_job("garage node", SecretText(parts=(_TOKEN, "\n", key)), "key"),))


def awaited(bucket: str) -> Request:
    """Waits on the application's host until its bucket is there."""
    return HostItems(items=(_job(f"garage bucket {bucket}", SecretText(parts=(_TOKEN,)), "bucket", bucket),))


def _job(name: str, stdin: SecretText, *arguments: str) -> Job:
    start = ("python3", "-I", "-c", script("garage_node.py"))
    make, check = ((*start, act, *arguments) for act in ("make", "check"))
    return Job(name=name, run=make, check=check, stdin=stdin, deadline=_BUCKET_SECONDS)


def bracketed(address: str) -> str:
    """An IP address as it stands before a port."""
    return f"[{address}]" if ":" in address else address
