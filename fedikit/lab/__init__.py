"""Local machines for trying and testing: real Debian with systemd, booted in a second, that nobody outside sees.

Takes root on a Debian machine. No other room of fedikit imports this one.
"""

from fedikit.lab.lab import USUAL_MACHINES, Lab
from fedikit.lab.machine import Machine
from fedikit.lab.shell import Result

__all__ = ["USUAL_MACHINES", "Lab", "Machine", "Result"]
