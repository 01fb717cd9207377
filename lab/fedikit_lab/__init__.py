"""Local machines for trying and testing: real Debian with systemd, booted in a second, that nobody outside sees.

Takes root on a Debian machine. Nothing of fedikit imports it: its commands are an entry point.
"""

from fedikit_lab.lab import USUAL_MACHINES, Lab
from fedikit_lab.machine import Machine
from fedikit_lab.role import Role
from fedikit_lab.shell import Result

__all__ = ["USUAL_MACHINES", "Lab", "Machine", "Result", "Role"]
