"""The agent as it travels: `fedikit.agent` in one piece, and the one command that starts it on a host.

A piece is a marshalled dictionary, in a `zlib` stream: by the name of each module its file, and its source, or bytecode
where the host's Python is the deployer's own. Hosts keep such a piece too (`fedikit.agent.keeping`).
"""

import contextlib
import hashlib
import marshal
import os
import re
import shlex
import tempfile
import threading
import zlib
from functools import cache
from importlib.resources import files
from importlib.util import MAGIC_NUMBER
from pathlib import Path

from fedikit.store import default_directory

# All that a login shell has to take: one line without anything that is special to any of them within such quotes.
LOAD = 'import os;r=os.fdopen(os.dup(0),"rb");exec(r.read({size}))'
# Says that it is there, after whatever a login printed; reads "HASH LENGTH", the request, and, only if the host does
# not keep this agent yet, or damaged, asks for it, and says which bytecode it understands; what it compiles of that is
# remembered, to be kept. Whatever Python there is must understand it, to say that it is too old.
BOOT = """\
import os,sys
os.chdir("/")
os.dup2(os.open("/dev/null",0),0)
os.write(1,b"\\nfedikit agent\\n")
def unfit(w):
 os.write(1,("unfit %s\\n"%w).encode());os._exit(1)
if sys.version_info<(3,11):unfit("python %d.%d"%sys.version_info[:2])
import marshal,zlib,_frozen_importlib_external as X
class Agent:
 codes={}
 def find_spec(s,n,*a):
  if n in s.parts:return type(sys.__spec__)(n,s,origin=s.parts[n][0],is_package="__init__" in s.parts[n][0])
 def create_module(s,spec):pass
 def exec_module(s,m):
  n=m.__name__;f,c=s.parts[n]
  if isinstance(c,bytes):c=marshal.loads(c)
  else:c=s.codes[n]=compile(c,f,"exec",0,True)
  exec(c,m.__dict__)
h,n=r.readline().split();q=r.read(int(n));g=X.MAGIC_NUMBER.hex();p="/".join((sys.argv[1],h.decode(),g+".bytecode"))
try:z=zlib.decompress(open(p,"rb").read())
except (OSError,zlib.error):
 p="";os.write(1,("agent? %s\\n"%g).encode());z=zlib.decompress(r.read(int(r.readline())))
Agent.parts=marshal.loads(z);sys.meta_path.insert(0,Agent())
try:
 from fedikit_agent.main import main
except ImportError as e:unfit("lacks %s"%e.name)
os._exit(main(r,q,p))"""
PLACE = "/var/lib/fedikit/agent"
MARK = b"fedikit agent\n"
"""What comes first of an agent, on a line of its own."""
ASKS_FOR_AGENT = re.compile(rb"agent\? ([0-9a-f]{8})\n")
"""How a host asks for the agent, with the number of the bytecode that its Python understands."""
OWN_BYTECODE = MAGIC_NUMBER.hex()
_TURN = threading.Lock()
"""Many hosts ask at once: it is made for the first of them."""


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


def archive(bytecode: str = "") -> bytes:
    """The agent as it is sent: compiled, for a Python that has this Python's bytecode, else its sources.

    A host that lies about its Python gets what it cannot run, and nothing else.
    """
    with _TURN:
        return _archive(is_compiled=bytecode == OWN_BYTECODE)


@cache
def _archive(*, is_compiled: bool) -> bytes:
    return zlib.compress(_compiled() if is_compiled else marshal.dumps(_parts(), 2))


def kept_agents() -> Path:
    """Where agents are kept on this machine, as on a host; this one is there afterwards, or OSError says why not."""
    agents = _agents()
    if not _kept(agents).is_file():
        _keep(_compiled(), agents)
    return agents


def _agents() -> Path:
    return default_directory().parent / "agents"


def _kept(agents: Path) -> Path:
    return agents / fingerprint() / f"{OWN_BYTECODE}.bytecode"


def _parts() -> dict[str, tuple[str, str]]:
    """File and source of each module, by its name."""
    parts = {f"fedikit_agent/{name}": source.decode() for name, source in sorted(sources().items())}
    return {_module(path): (path, source) for path, source in parts.items()}


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _compiled() -> bytes:
    """The agent for this Python, marshalled: kept from earlier, for to compile it takes a while, or made now."""
    agents = _agents()
    with contextlib.suppress(OSError, zlib.error):
        return zlib.decompress(_kept(agents).read_bytes())
    parts = _parts().items()
    codes = {name: (path, marshal.dumps(compile(text, path, "exec", 0, True))) for name, (path, text) in parts}
    compiled = marshal.dumps(codes, 2)
    with contextlib.suppress(OSError):  # without a place to keep it, it is made each time
        _keep(compiled, agents)
    return compiled


def _keep(compiled: bytes, agents: Path) -> None:
    """Puts it in place at once: others may be about it at the same time."""
    place = _kept(agents)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as draft:
        draft.write(zlib.compress(compiled, 0))
    os.replace(draft.name, place)
