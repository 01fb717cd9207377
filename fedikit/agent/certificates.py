"""Certificates of Caddy's for sites that are held here: shown to be served elsewhere, and taken from elsewhere.

Caddy's own user can change everything below its folder: no link is followed there, and nothing but small files is read.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .contact import Contact
from .eyes import Eyes
from .health import CERTIFICATES, LARGEST_CERTIFICATE
from .ledger import Ledger, Record
from .order import locked, receive_order
from .systemd import tell
from .trouble import Trouble

if TYPE_CHECKING:
    from .hands import Hands

SITE = "file:/etc/caddy/sites/{}.caddy"
OWNER = "caddy"
UNIT = "caddy.service"
OWN = "/var/lib/caddy"
"""Whose folders from here on are Caddy's."""
ENDINGS = ("crt", "key", "json")
"""What Caddy keeps of each: the certificate with its chain, its key, and of whom it has it."""
ISSUER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
MOST = 500


def serve(contact: Contact) -> int:
    """Shows them with their keys, or without, and takes those that the order brings; Caddy reads them at once.

    Told to do it `anew`, Caddy asks for those that it lacks, however long it meant to wait after it had asked in vain.
    """
    domains, gives = contact.request["domains"], contact.request["verb"] == "give-certificates"
    found = list(_found(contact.eyes, contact.ledger, domains, with_keys=gives))
    contact.channel.send({"event": "certificates", "certificates": found})
    if gives:
        return 0
    order = receive_order(contact.channel)
    with locked(contact, order) as hands:
        taken = _taken(hands, contact.ledger, order["certificates"])
        if (taken or order.get("anew")) and hands.unit(UNIT)["active"]:
            tell(hands, "reload", UNIT)
        contact.channel.send({"event": "certificates_taken", "domains": taken})
    return 0


def _found(eyes: Eyes, ledger: Ledger, domains: Iterable[str], *, with_keys: bool) -> Iterator[Record]:
    held = [domain for domain in domains if _is_site(ledger, domain)][:MOST]
    for issuer in filter(ISSUER.fullmatch, eyes.names(CERTIFICATES)[:MOST] if held else ()):
        for domain in held:
            place = f"{CERTIFICATES}/{issuer}/{domain}/{domain}"
            texts = {ending: eyes.beginning(f"{place}.{ending}", LARGEST_CERTIFICATE) for ending in ENDINGS}
            if all(texts.values()):
                told = {ending: (text or b"").decode(errors="replace") for ending, text in texts.items()}
                yield {"issuer": issuer, "domain": domain, **told, **({} if with_keys else {"key": ""})}


def _is_site(ledger: Ledger, domain: str) -> bool:
    """Whether it is the domain of a web site that is held here: so no name leads elsewhere."""
    return "/" not in domain and ledger.entries.get(SITE.format(domain), {}).get("state") == "held"


def _taken(hands: "Hands", ledger: Ledger, certificates: list[dict[str, Any]]) -> list[str]:
    """Puts them where Caddy finds them; their domains."""
    for one in certificates:
        if not _is_site(ledger, one["domain"]) or not ISSUER.fullmatch(one["issuer"]):
            raise Trouble(f"has no web site {one['domain']}: its certificate was not taken", hint="apply first")
    for one in certificates:
        folder = f"{CERTIFICATES}/{one['issuer']}/{one['domain']}"
        _make_folders(hands, folder)
        for ending in reversed(ENDINGS):  # Caddy takes them for whole once all three are there
            content = str(one[ending]).encode()
            hands.write(f"{folder}/{one['domain']}.{ending}", content, owner=OWNER, group=OWNER, mode="0600")
    hands.look_afresh()
    return sorted({one["domain"] for one in certificates})


def _make_folders(hands: "Hands", folder: str) -> None:
    """Those on the way that are missing, as Caddy would make them."""
    way = OWN
    for name in folder.removeprefix(f"{OWN}/").split("/"):
        way = f"{way}/{name}"
        if not hands.exists(way):
            hands.make_directory(way)
            hands.own(way, OWNER, OWNER, "0700")
