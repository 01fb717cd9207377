"""The numbers that users of containers have on the host: for each family of containers a range that nobody else has.

A container's user 1000 would otherwise be the host's first user, its 33 the host's web server, its root the host's.
"""

import hashlib

FIRST, COUNT = 0x7000_0000, 65536
"""Above what Debian, systemd and `useradd` give to users, services, containers and their sub-users; 65536 a family."""
FAMILIES = 4000


def first_number(family: str) -> int:
    """What its user 0 is called on the host; its others follow. It depends on nothing but the family's name."""
    return FIRST + COUNT * (int.from_bytes(hashlib.sha256(family.encode()).digest()[:4]) % FAMILIES)


def on_host(family: str, user: int) -> str:
    """The number on the host of a user, or of a group, of its containers."""
    return str(first_number(family) + user)
