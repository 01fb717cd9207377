"""An upgrade, or a reboot, as it is ordered: what is pending is told, and what the deployer makes of it is done."""

import time

from .confidential import secrets_known
from .contact import Contact
from .hands import Hands
from .ledger import Record
from .order import in_a_session_of_its_own, locked, now, receive_order, take_in
from .trouble import Trouble, as_event, redacted, trouble_from
from .upgrading import Upgrading, basis_of, reboot, upgradable


def serve(contact: Contact) -> int:
    return _upgrade(contact) if contact.request["op"] == "upgrade" else _reboot(contact)


def _upgrade(contact: Contact) -> int:
    contact.channel.send(upgradable(contact.eyes, contact.ledger))
    order = receive_order(contact.channel)
    with locked(contact, order) as hands:
        upgrading = _upgrading(contact, order, hands)
        return in_a_session_of_its_own(contact, lambda unit: _carry_out(contact, upgrading, order, unit))


def _upgrading(contact: Contact, order: Record, hands: Hands) -> Upgrading:
    """What is to be done, with all that it takes at hand; trouble if the host is not as it was told to be."""
    ledger = contact.ledger
    if basis_of(hands, ledger) != order["basis"]:
        raise Trouble("has changed since it was planned; nothing was done", code="stale", hint="plan again")
    take_in(contact, order["blobs"], [])
    return Upgrading(hands, ledger, contact.channel.send)


def _carry_out(contact: Contact, upgrading: Upgrading, order: Record, unit: str) -> int:
    start = time.monotonic()
    try:
        upgrading.run(order, {"time": now(), "who": order["who"]})
    except Exception as error:
        items = [entry["item"] for entry in upgrading.ledger.entries.values()]
        secrets = secrets_known(upgrading.hands, items, {})
        contact.channel.send(as_event(redacted(trouble_from(error), secrets)))
        return 1
    seconds = round(time.monotonic() - start, 3)
    done = {"event": "done", "generation": upgrading.ledger.generation, "unit": unit, "seconds": seconds}
    contact.channel.send(done)
    return 0


def _reboot(contact: Contact) -> int:
    """Says that it will before it does: the connection may be the first to go."""
    with locked(contact, contact.request) as hands:
        contact.channel.send({"event": "noted"})
        reboot(hands, contact.ledger, {"time": now(), "who": contact.request["who"]})
    return 0
