"""A saboteur in the agent: counts the steps by which it changes the host, and kills it with SIGKILL at one of them.

It only adds a hook of Python's own auditing before the agent starts; the agent is the one that always travels.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from fedikit.remote import bootstrap
from fedikit_lab import Machine

STEPS_FILE = "/run/fedikit-steps"
START = bootstrap.BOOT.splitlines()[-1]
# What only looks is no step, nor what has no effect, nor what concerns the inside of a draft.
HOOK = f"""
import os,sys
def sabotage(fatal):
 log=os.open("{STEPS_FILE}",os.O_WRONLY|os.O_CREAT|os.O_TRUNC);count=0
 always={{"os.rename","os.rmdir","os.chmod","os.chown","os.symlink","os.fork","shutil.rmtree"}}
 looks={{"show","--print-architecture","journalctl"}}
 def is_there(what,folder):
  try:os.stat(what,dir_fd=folder if folder>=0 else None,follow_symlinks=False)
  except OSError:return False
  return True
 def is_step(event,what,arguments):
  if event=="subprocess.Popen":return not looks&set(what)
  if event=="fedikit.systemd":return True
  if not isinstance(what,str) or "/agent/" in what or what=="/dev/null":return False
  if event=="open":return bool(arguments[2]&(os.O_WRONLY|os.O_RDWR|os.O_CREAT)) and not what.endswith(".part")
  if event in ("os.mkdir","os.remove"):return is_there(what,arguments[-1])==(event=="os.remove")
  return event in always
 def hook(event,arguments):
  nonlocal count
  what="" if not arguments else arguments[1] if event=="subprocess.Popen" else arguments[0]
  if not is_step(event,what,arguments):return
  count+=1
  if event in ("os.remove","os.rmdir") and arguments[-1]>=0:what=os.readlink("/proc/self/fd/%d"%arguments[-1])+"/"+what
  os.write(log,f"{{event}} {{what}}"[:200].replace("\\n"," ").encode()+b"\\n")
  if count==fatal.get(os.uname().nodename):os.kill(os.getpid(),9)
 sys.addaudithook(hook)
"""


@contextmanager
def killed_at(steps: Mapping[str, int]) -> Iterator[None]:
    """Agents that are started meanwhile are killed before they make that step, by machine; the first is 1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "BOOT", HOOK + bootstrap.BOOT.replace(START, f"sabotage({dict(steps)!r})\n{START}"))
        yield


def steps_made(machine: Machine) -> list[str]:
    """The steps of the last sabotaged agent, each as its kind and its object."""
    return machine.succeed(f"cat {STEPS_FILE}").splitlines()
