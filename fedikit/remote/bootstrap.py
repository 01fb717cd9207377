"""The agent as it travels: `fedikit.agent` as an archive, and the one command that starts it on a host."""

import hashlib
import io
import shlex
import zipfile
from functools import cache
from importlib.resources import files
from pathlib import Path

# All that a login shell has to take: one line without anything that is special to any of them within such quotes.
LOAD = 'import os;r=os.fdopen(os.dup(0),"rb");exec(r.read({size}))'
# Says that it is there, after whatever a login printed; reads "HASH LENGTH", the request, and, only if the host does
# not keep this agent yet, asks for its archive; what it compiles of that is remembered, and kept too. Whatever Python
# there is must understand it, to say that it is too old.
BOOT = """\
import os,sys
os.dup2(os.open("/dev/null",0),0)
os.write(1,b"\\nfedikit agent\\n")
def unfit(w):
 os.write(1,("unfit %s\\n"%w).encode());os._exit(1)
if sys.version_info<(3,11):unfit("python %d.%d"%sys.version_info[:2])
h,n=r.readline().split();q=r.read(int(n));p="/".join((sys.argv[1],h.decode(),sys.implementation.cache_tag+".zip"))
if not os.path.isfile(p):
 os.write(1,b"agent?\\n");z=r.read(int(r.readline()));f=os.memfd_create("fedikit");os.write(f,z);p="/proc/self/fd/%d"%f
 from zipimport import zipimporter
 class Z(zipimporter):
  codes={}
  def get_code(s,n):s.codes[n]=zipimporter.get_code(s,n);return s.codes[n]
 sys.path_hooks.insert(0,Z)
sys.path.insert(0,p)
try:
 from fedikit_agent.main import main
except ImportError as e:unfit("lacks %s"%e.name)
os._exit(main(r,q,p))"""
PLACE = "/var/lib/fedikit/agent"
MARK = b"fedikit agent\n"
"""What comes first of an agent, on a line of its own."""
ASKS_FOR_AGENT = b"agent?\n"


def command(python: str = "python3", *, place: str | Path = PLACE) -> list[str]:
    """The command that starts the agent once it is sent `program()`; `place` is where the host keeps agents."""
    return [python, "-I", "-S", "-c", LOAD.format(size=len(program())), str(place)]


def program() -> bytes:
    """What is sent first."""
    return BOOT.encode()


def shell_command(*, with_sudo: bool) -> str:
    """The command for a remote shell, whichever it is: sh, bash, dash, zsh, csh, tcsh or fish."""
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
