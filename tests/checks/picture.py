"""A picture of a machine: its packages, users and files, to hold one moment against another."""

import difflib

from fedikit_lab import Lab

# Left out is what changes by itself or as others' own bookkeeping: logs, caches, backups of account files, sudo's mark.
PICTURE = r"""
echo "# packages"
dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Abbrev}\n'
echo "# users"
cat /etc/passwd /etc/group
echo "# files"
find / -xdev \
    \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log \
    -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd \
    -o -path /var/lib/ucf -o -path /var/lib/private \) -prune -o \
    \( -type f -o -type l -o -type d \) ! -name '*-' ! -name .sudo_as_admin_successful \
    -printf '%p %y %m %u %g %l\n' | sort
echo "# contents"
find /etc /root /home /opt /srv /usr/local /var/lib -xdev \
    \( -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /var/lib/ucf \) -prune -o \
    -type f ! -name '*-' ! -name ld.so.cache ! -name .sudo_as_admin_successful -print0 |
    sort -z | xargs -0 sha256sum
"""


def picture_of(lab: Lab, machine: str) -> list[str]:
    """The lines of the picture."""
    return lab[machine].succeed(PICTURE, seconds=60).splitlines()


def changes(before: list[str], after: list[str]) -> list[str]:
    """The lines that came (+) and went (-)."""
    lines = difflib.unified_diff(before, after, lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
