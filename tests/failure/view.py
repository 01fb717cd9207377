"""What a machine looks like: packages, accounts, files, units, processes; and fedikit's own record, timeless."""

import difflib
import json
from typing import Any

from fedikit_lab import Machine

LEDGER = "/var/lib/fedikit/deployments/failure"
# Left out is what is bound to change: backups of account files, the linker's cache, fedikit's record, sudo's mark.
LOOK = r"""
dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Abbrev}\n'
cat /etc/passwd /etc/group
cd / && find etc root home srv opt usr/local var/lib var/spool -xdev \
    \( -path var/lib/fedikit -o -path var/lib/dpkg -o -path var/lib/apt -o -path var/lib/systemd \) -prune -o \
    ! -name '*-' ! -name ld.so.cache ! -name .sudo_as_admin_successful -printf '%p %y %m %u %g %l\n' | sort
find etc root home srv opt usr/local -xdev -type f ! -name '*-' ! -name ld.so.cache -print0 | sort -z \
    | xargs -0 sha256sum
systemctl list-units --all --no-legend --plain --type=service --state=running,failed,not-found
ls -d /var/lib/fedikit 2>/dev/null
pgrep --list-full --exact sleep | cut -d ' ' -f 2-
true
"""


def view_of(machine: Machine) -> list[str]:
    """Everything that an apply may change and a removal must put back."""
    return machine.succeed(LOOK).splitlines()


def changes(before: list[str], after: list[str]) -> list[str]:
    """The lines that came (+) and went (-)."""
    lines = difflib.unified_diff(before, after, lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def record_of(machine: Machine) -> dict[str, Any]:
    """fedikit's own record, without what tells one run from another."""
    texts = machine.succeed(f"cd {LEDGER} && cat ledger.json last-run.json generations/*")
    decoder, records = json.JSONDecoder(), []
    while texts := texts.lstrip():
        record, end = decoder.raw_decode(texts)
        records.append({key: value for key, value in record.items() if key not in ("run", "time", "who")})
        texts = texts[end:]
    names = machine.succeed("cd /var/lib/fedikit && find . | sort").split()
    return {"records": records, "files": names}
