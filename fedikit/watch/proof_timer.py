"""The timer of proofs: units of systemd on a deployer that holds a lab, which prove backups while nobody looks.

They work as root, for machines without a way out take that; a look tells what came of it.
"""

from dataclasses import dataclass
from pathlib import Path

from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.runbook.proving import find_prover
from fedikit.watch.proofs import refuse_others_secrets, unit_name
from fedikit.watch.timer import MARK, Timer

CALENDARS = {"daily": "*-*-* 03:00", "weekly": "Sun *-*-* 03:00", "monthly": "*-*-01 03:00"}
"""How often, and how systemd writes it: at night, where much is to be read from repositories."""
_LONGEST_ROUND = "1d"
_LONGEST_END_SECONDS = 50
"""Less than systemctl is waited for."""


@dataclass(frozen=True)
class ProofTimer:
    """Two units for one environment: what proves its backups, and when."""

    watch: Timer
    every: str

    @property
    def name(self) -> str:
        return unit_name(self.watch.environment.name)

    @property
    def environment_file(self) -> Path:
        return self.watch.environment_file

    @property
    def service(self) -> str:
        """The unit that proves the newest backups once; ended, it has the machines taken down first."""
        return f"""\
{MARK}{self.environment_file}
[Unit]
Description=Proves the backups of {self.watch.environment.name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
{self.watch.doing("prove")}
UMask=0077
Nice=10
KillSignal=SIGINT
KillMode=mixed
TimeoutStartSec={_LONGEST_ROUND}
TimeoutStopSec={_LONGEST_END_SECONDS}
"""

    @property
    def timer(self) -> str:
        """The unit that says when."""
        return f"""\
{MARK}{self.environment_file}
[Unit]
Description=Proves the backups of {self.watch.environment.name}, {self.every}

[Timer]
OnCalendar={CALENDARS[self.every]}
RandomizedDelaySec=3600
Persistent=true

[Install]
WantedBy=timers.target
"""

    def refuse_what_cannot_prove(self) -> None:
        """Raises FedikitError where proofs could not be made, or nobody would hear that none are made any more."""
        if not self.watch.is_system:
            raise FedikitError("to prove backups regularly takes root", hint="sudo fedikit watch install … --prove")
        refuse_others_secrets(self.environment_file)
        find_prover()
        backup = self.watch.environment.policies.backup
        if backup is None or not backup.proof_days:
            words = "is missing: nobody would be told when no more proofs are made"
            hint = "write proof_days = 14, say, or leave --prove out"
            raise ConfigurationError(
                str(self.environment_file), [Mistake("policies.backup.proof_days", words)], hint=hint
            )
