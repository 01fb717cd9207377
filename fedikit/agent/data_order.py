"""What is asked of the data of an application: the program of backups is run, and what it tells is told on.

list     only looks, and is answered at once; so do pace, which tells how long units take to start and to stop, and
         note-proof, which puts a proof beside a backup
backup   is noted, and begins with the order
restore  is answered with what it would do, and begins with the order, under the host's lock
close    is noted, and begins with the order, under the host's lock; so are open, and follow, which runs what a restore
         still owes, and bring, which restores one backup where a migration has closed the application

give-certificates, take-certificates: those of Caddy's; see `certificates`

What is brought may come from another repository than the application's own: the request says from which.
What was ordered goes on in a session and a unit of its own should the connection end.
"""

import contextlib
import hashlib
import json

from .confidential import secrets_known
from .contact import Contact
from .data_program import Program, UnknownWord, record_of, settings_of
from .ledger import Record
from .order import in_a_session_of_its_own, locked, receive_order
from .trouble import Trouble, as_event, redacted, trouble_from

LOOKING_SECONDS = 1800
"""How long the program may look: a repository may be far away."""
WORKING_SECONDS = 86_400
REASONS = {"now": ("--reason", "now"), "anew": ("--reason", "now", "--anew"), "upgrade": ("--reason", "upgrade")}
ENDS = {
    "backup": ("backed_up", "result"),
    "restore": ("restored", "restored"),
    "close": ("closed", "closed"),
    "open": ("opened", "opened"),
    "follow": ("followed", "followed"),
}
"""By verb, the last word when it succeeded, and what is told with it."""
READING = "reading"
"""Why something is closed that can be read on."""
OF_EARLIER = "its program of backups is of an earlier fedikit, which knows of no readers"
AGAIN = "do the same again: that completes what was begun"


def serve(contact: Contact) -> int:
    try:
        return _serve(contact)
    except Trouble as trouble:
        contact.channel.send(_harmless(contact, trouble))
        return 1


def _serve(contact: Contact) -> int:
    if contact.request["verb"] in ("give-certificates", "take-certificates"):
        from .certificates import serve as serve_certificates  # seldom needed

        return serve_certificates(contact)
    program = Program(
        contact.eyes, contact.ledger, contact.request["application"], contact.say_alive, contact.request.get("other")
    )
    match contact.request["verb"]:
        case "list":
            contact.channel.send(_listed(contact, program))
            return 0
        case "pace":
            units = program.asked("pace", seconds=LOOKING_SECONDS).get("units")
            contact.channel.send({"event": "pace", "units": units})
            return 0
        case "backup":
            contact.channel.send({"event": "noted"})
            reason = receive_order(contact.channel)["reason"]
            return _carry_out(contact, program, "backup", *REASONS[reason])
        case "note-proof":
            contact.channel.send(_proof_noted(contact, program))
            return 0
        case "restore":
            return _restore(contact, program)
        case "close" | "open" | "follow" as verb:
            return _under_the_lock(contact, program, verb)
        case "bring":
            return _bring(contact, program)
        case unknown:
            raise Trouble(f"was asked for what it does not know: {unknown}", code="agent")


def _listed(contact: Contact, program: Program) -> Record:
    told = program.asked("list", seconds=LOOKING_SECONDS)
    record = record_of(contact.eyes, contact.request["application"])
    return {"event": "backups", "backups": told.get("backups"), "notes": told.get("notes", []), "record": record}


def _proof_noted(contact: Contact, program: Program) -> Record:
    backup, proof = (str(contact.request[name]) for name in ("backup", "proof"))
    told = program.asked("note-proof", "--backup", backup, "--proof", proof, seconds=LOOKING_SECONDS)
    return {"event": "proof_noted", "backup": told["noted"]["backup"]}


def _restore(contact: Contact, program: Program) -> int:
    """Answers what it would do; goes on if it is still that once the host is locked."""
    at = contact.request.get("at") or ""
    plan = program.asked("plan-restore", *(["--at", at] if at else []), seconds=LOOKING_SECONDS)["plan"]
    backup, former = str(plan["backup"]["id"]), str(plan["interrupted"])
    basis = _basis(contact, backup, former)
    contact.channel.send({"event": "restorable", "basis": basis, "plan": plan})
    order = receive_order(contact.channel)
    with locked(contact, order) as hands:
        if order["basis"] != _basis(contact, backup, former):
            raise Trouble("has changed since it was planned; nothing was done", code="stale", hint="plan again")
        hands.take_long(f"restore of {contact.request['application']}", seconds=WORKING_SECONDS)
        options = ["--instead", former] if former not in ("", backup) else []
        options += [] if order["saves"] else ["--without-saving"]
        options += ["--leave-down"] if order.get("leave_down") else []
        return _carry_out(contact, program, "restore", "--backup", backup, *options)


def _bring(contact: Contact, program: Program) -> int:
    """Nothing is planned, for nothing serves that could be lost, and people wait; nor is what is there saved."""
    contact.channel.send({"event": "noted"})
    order = receive_order(contact.channel)
    with locked(contact, order) as hands:
        hands.take_long(f"restore of {contact.request['application']}", seconds=WORKING_SECONDS)
        options = ["--backup", str(order["backup"]), "--migration", str(order["migration"]), "--without-saving"]
        former = _cut_off(contact)
        return _carry_out(contact, program, "restore", *options, *(["--instead", former] if former else []))


def _cut_off(contact: Contact) -> str:
    """The backup whose restore was cut off before, which is given up for another; empty if there is none."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(record_of(contact.eyes, contact.request["application"], "journal.json"))["backup"])
    return ""


def _under_the_lock(contact: Contact, program: Program, verb: str) -> int:
    contact.channel.send({"event": "noted"})
    order = receive_order(contact.channel)
    options = ["--migration", str(order["migration"])] if order.get("migration") else []
    options += ["--start"] if order.get("start") else []
    if verb == "close":
        options += ["--instead", str(order.get("instead", "")), "--why", str(order["why"])]
    with locked(contact, order) as hands:
        hands.take_long(f"{verb} of {contact.request['application']}", seconds=WORKING_SECONDS)
        return _carry_out(contact, program, verb, *options)


def _basis(contact: Contact, backup: str, former: str) -> str:
    """A digest of what a restore rests on: which backup, which was cut off, and what the application is here."""
    settings = settings_of(contact.eyes, contact.request["application"])
    return hashlib.sha256(b"%s %s " % (backup.encode(), former.encode()) + settings).hexdigest()


def _carry_out(contact: Contact, program: Program, verb: str, *options: str) -> int:
    def work(unit: str) -> int:
        contact.channel.send({"event": "alive", "longest": WORKING_SECONDS})
        try:
            told = _followed(contact, program, verb, *options)
        except Exception as error:
            contact.channel.send(_harmless(contact, trouble_from(error)))
            return 1
        contact.channel.send(_ended(verb, told))
        return 0

    return in_a_session_of_its_own(contact, work, killed=AGAIN)


def _followed(contact: Contact, program: Program, verb: str, *options: str) -> Record:
    """What it tells in the end. One of an earlier fedikit knows of no readers, and closes wholly."""
    try:
        return program.followed(verb, *options, seconds=WORKING_SECONDS, hear=lambda step: _tell(contact, step))
    except UnknownWord:
        if options[-1] != READING:
            raise
        told = _followed(contact, program, verb, *options[:-1], "moving")
        return told | {"closed": {**told["closed"], "note": OF_EARLIER}}


def _tell(contact: Contact, step: Record) -> None:
    """A step, and how long the next word may take: parts may be large."""
    contact.channel.send({"event": "step"} | step)
    contact.channel.send({"event": "alive", "longest": WORKING_SECONDS})


def _ended(verb: str, told: Record) -> Record:
    event, what = ENDS[verb]
    return {"event": event, what: told.get(what)}


def _harmless(contact: Contact, trouble: Trouble) -> Record:
    """The trouble without any secret that fedikit brought here."""
    items = [entry["item"] for entry in contact.ledger.entries.values()]
    other = contact.request.get("other")
    further = {str(other["password"])} if other else set()
    return as_event(redacted(trouble, secrets_known(contact.eyes, items, {}) | further))
