"""What is answered at once, for it is no plan: status, facts, notes, confirmations, another name."""

import sys

from .closed import FILE as CLOSED
from .contact import Contact
from .data_program import applications_of, record_of, set_up_at
from .disk_space import disk_of_data
from .distribution import release
from .generations import told_of
from .ledger import Ledger, Record, neighbours
from .lock import describe, lock_holder
from .order import now
from .trouble import Trouble


def at_once(contact: Contact) -> Record:
    """The answer to what the contact asks; each part is read when it is needed."""
    request, ledger = contact.request, contact.ledger
    match request["op"]:
        case "status":
            return _status(contact, ledger) | (_health(contact, ledger) if request.get("health") else {})
        case "facts":
            from .facts import facts_of

            return facts_of(contact.eyes, request)
        case "note":
            ledger.note({"time": now(), "who": request["who"], "note": request["note"]})
            return {"event": "noted"}
        case "confirm":
            from .trial import confirm

            confirm(contact.eyes, request["token"])
            return {"event": "confirmed"}
        case "rename":
            return _renamed(contact, ledger.deployment)
        case unknown:
            raise Trouble(f"was asked for what it does not know: {unknown}", code="agent")


def _status(contact: Contact, ledger: Ledger) -> Record:
    return {
        "event": "status",
        "generation": ledger.generation,
        "generations": told_of(ledger),
        "items": {id: entry["state"] for id, entry in ledger.entries.items()},
        "last_run": ledger.last_run(),
        "busy": _busy(contact),
        "notes": ledger.notes(),
        "neighbours": neighbours(contact.home, ledger.deployment),
        "disk": disk_of_data(contact.root),
        "backups": {name: _backups(contact, name) for name in applications_of(ledger)},
        "python": "{}.{}.{}".format(*sys.version_info),
        **release(contact.eyes),
    }


def _backups(contact: Contact, application: str) -> Record:
    """What the program of backups wrote of its last runs, and since when there are to be any."""
    return {
        "record": record_of(contact.eyes, application),
        "journal": record_of(contact.eyes, application, "journal.json"),
        "closed": record_of(contact.eyes, application, CLOSED),
        "since": set_up_at(contact.eyes, application),
    }


def _health(contact: Contact, ledger: Ledger) -> Record:
    """How well that is what is held here, and what is pending."""
    from .health import health_of
    from .pending import listed
    from .upgrading import upgradable

    contact.eyes.say_alive = contact.say_alive
    upgrades = upgradable(contact.eyes, ledger) | {"listed": listed(contact.eyes)}
    return {"health": health_of(contact.eyes, ledger), "upgrades": upgrades}


def _renamed(contact: Contact, name: str) -> Record:
    """How far a deployment is on its way to another name, once that is done which the request asks for."""
    from .renaming import rename, state_of

    former = contact.request["former"]
    if about := contact.request.get("about"):
        rename(contact.home, former, name, {**about, "time": now()})
    state = state_of(contact.home, former, name)
    present = Ledger(contact.home, former if state == "ready" else name)
    return {"event": "renamed", "state": state, "items": len(present.entries), "busy": _busy(contact)}


def _busy(contact: Contact) -> str:
    holder = lock_holder(contact.home)
    return describe(holder) if holder else ""
