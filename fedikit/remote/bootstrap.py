"""The agent as it travels: `fedikit.agent` as an archive, and the one command that starts it on a host."""

import hashlib
import io
import shlex
import zipfile
from functools import cache
from importlib.resources import files
from pathlib import Path

# Reads "HASH LENGTH", the request, and, only if the host does not keep this agent yet, asks for its archive.
BOOT = """\
import os,sys
r=os.fdopen(os.dup(0),"rb");os.dup2(os.open("/dev/null",0),0)
h,n=r.readline().split();q=r.read(int(n));p="{place}/"+h.decode()
if not os.path.isdir(p):
 os.write(1,b"agent?\\n");z=r.read(int(r.readline()));f=os.memfd_create("fedikit");os.write(f,z);p="/proc/self/fd/%d"%f
sys.path.insert(0,p)
from fedikit_agent.main import main
os._exit(main(r,q,p))"""
PLACE = "/var/lib/fedikit/agent"
ASKS_FOR_AGENT = b"agent?\n"


def command(python: str = "python3", *, place: str | Path = PLACE) -> list[str]:
    """The command that starts the agent; `place` is where the host keeps agents."""
    return [python, "-I", "-S", "-c", BOOT.replace("{place}", str(place))]


def shell_command(*, with_sudo: bool) -> str:
    """The same for a remote shell."""
    return shlex.join([*(["sudo", "-n"] if with_sudo else []), *command()])


@cache
def sources() -> dict[str, bytes]:
    """The agent's modules by their paths."""
    agent = Path(str(files("fedikit.agent")))
    return {str(path.relative_to(agent)): path.read_bytes() for path in sorted(agent.rglob("*.py"))}


@cache
def fingerprint() -> str:
    """The hash that the agent is known by on hosts."""
    digest = hashlib.sha256()
    for name, source in sorted(sources().items()):
        digest.update(f"{name} {len(source)}\n".encode() + source)
    return digest.hexdigest()[:24]


@cache
def archive() -> bytes:
    """The agent as a zip archive; equal sources give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as contents:
        for name, source in sorted(sources().items()):
            contents.writestr(zipfile.ZipInfo(f"fedikit_agent/{name}"), source, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
