"""The agent's one contact with its deployer: answers what would change, and, if told to, makes it so.

deployer                                   agent
request {op, deployment, items, …}     →
                                       ←   answer {changes, needs, basis, …}
nothing more: the channel closes, the agent ends; or
order {basis, debs, secrets, blobs…}   →   takes the lock, compares again, refuses if the host has moved
                                       ←   item events, then {event: done}
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from .blobs import Blobs
from .change import Change, Comparison, Wish
from .channel import Channel, Gone, unpack
from .compare import compare, former_items
from .eyes import Eyes
from .hands import Hands
from .kinds import by_kind, kind_of
from .ledger import HOME, Ledger, Lock, Record, describe, lock, lock_holder, neighbours
from .others import Others
from .packages import release
from .trouble import Trouble, trouble_from
from .work import Work

if TYPE_CHECKING:
    from .batch import Batch
    from .upgrading import Upgrading

TAIL_CHARACTERS = 4000
ALIVE_SECONDS = 2
"""How often an agent at work says that it is alive: more often than the least patience of a deployer."""
TOLD_FROM_SECONDS = 600
"""From where on a deployer is told how long a command may take."""
PATIENCE_SECONDS = 120
"""How long an agent waits for its order, and for each piece of it; a deployer that comes later starts a new one."""


def main(source: BinaryIO, request: bytes, origin: str) -> int:
    """Serves one contact. `source` goes on after the request; `origin` is where this agent was loaded from."""
    sink = os.dup(1)
    os.dup2(2, 1)
    channel = Channel(source, sink)
    try:
        return Contact(channel, unpack(request), origin).serve()
    except Gone:
        return 0
    except Trouble as trouble:
        channel.send(as_event(trouble))
        return 1
    except PermissionError as error:
        channel.send(
            as_event(Trouble(f"not permitted: {error}", hint="the login user needs to be root or to have sudo"))
        )
        return 1
    except Exception as error:
        channel.send(as_event(trouble_from(error)))
        if not isinstance(error, OSError):
            raise
        return 1


def redacted(trouble: Trouble, secrets: set[str]) -> Trouble:
    """The trouble without secrets in its words; they are taken out before anything is cut off."""
    from .redaction import scrub  # slow to import, and needed for failures only

    trouble.message, trouble.tail, trouble.hint = (
        scrub(text, secrets) for text in (trouble.message, trouble.tail, trouble.hint)
    )
    return trouble


def last_lines(text: str, limit: int) -> str:
    """As many of the last lines as fit into that many characters; none of them in part, unless one alone is longer."""
    if len(text) <= limit:
        return text
    _, end_of_line, rest = text[-limit:].partition("\n")
    return rest if end_of_line else text[-limit:]


def as_event(trouble: Trouble) -> Record:
    return {
        "event": "trouble", "code": trouble.code, "message": trouble.message,
        "tail": last_lines(trouble.tail, TAIL_CHARACTERS), "hint": trouble.hint, "item": trouble.item,
    }  # fmt: skip


class Contact:
    """One request, its answer, and perhaps the order that follows."""

    def __init__(self, channel: Channel, request: Record, origin: str) -> None:
        self.channel = channel
        self.request = request
        self.origin = origin
        self.root: str = request.get("root", "/")
        self.home = self.root.rstrip("/") + HOME
        self.eyes = Eyes(self.root, bytes.fromhex(request.get("seal", "")))

    def serve(self) -> int:
        self._refuse_strange_systems()
        ledger = Ledger(self.home, self.request["deployment"])
        if answer := self._at_once(ledger):
            self.channel.send(answer)
            return 0
        if self.request["op"] in ("upgrade", "reboot"):
            return self._upgrade(ledger) if self.request["op"] == "upgrade" else self._reboot()
        target = self._target(ledger)
        wish = self._wish(ledger, target)
        self.eyes.say_alive = lambda: self.channel.send({"event": "alive"})
        comparison = compare(self.eyes, wish, ledger)
        self.channel.send(self._answer(wish, comparison, ledger, target))
        _import_what_changes()
        signal.alarm(PATIENCE_SECONDS)
        return self._obey(self.channel.receive(), wish)

    # What is asked for

    def _at_once(self, ledger: Ledger) -> Record | None:
        """The answer to what is no plan; what it needs is not needed to plan."""
        match self.request["op"]:
            case "status":
                return self._status(ledger) | self._health(ledger)
            case "facts":
                from .facts import facts_of

                return facts_of(self.eyes, self.request)
            case "note":
                ledger.note({"time": now(), "who": self.request["who"], "note": self.request["note"]})
                return {"event": "noted"}
            case "confirm":
                from .trial import confirm

                confirm(self.eyes, self.request["token"])
                return {"event": "confirmed"}
            case "rename":
                return self._renamed(ledger.deployment)
        return None

    def _refuse_strange_systems(self) -> None:
        """Before anything else; what is there can be looked at and taken away, whatever became of the system."""
        if self.request["op"] not in ("plan", "rollback") or self.request.get("forget"):
            return
        from .distribution import strange_system

        if system := strange_system(self.eyes.read("/etc/os-release")):
            raise Trouble(f"is {system}: not supported, Debian 12 and 13 are")

    def _target(self, ledger: Ledger) -> int | None:
        """The generation to go back to, if that is what is asked."""
        if not self._is_rollback:
            return None
        if self.request.get("to") is not None:
            return int(self.request["to"])
        last = ledger.last_run() or {}
        if last.get("state", "done") != "done":
            return int(last.get("target", ledger.generation))  # the state that stood, or where a rollback was going
        if ledger.read_generation(ledger.generation).get("run") != last.get("run"):
            return ledger.generation  # the last run only mended what others had changed
        return ([0] + [number for number in ledger.generations() if number < ledger.generation])[-1]

    def _wish(self, ledger: Ledger, target: int | None) -> Wish:
        purge, keep_drift = self.request.get("purge", False), self.request.get("keep_drift", False)
        if target is None:
            return Wish(_for_this_machine(self.request["items"]), purge, keep_drift)
        seals = {item["id"]: item["seal"] for item in self.request.get("items", ()) if "seal" in item}
        return Wish(_for_this_machine(ledger.read_generation(target)["items"]), purge, keep_drift, seals)

    # The answer

    def _answer(self, wish: Wish, comparison: Comparison, ledger: Ledger, target: int | None) -> Record:
        answer: Record = {
            "event": "answer",
            "changes": [self._describe(change) for change in comparison.changes],
            "same": len(comparison.wanted) - sum(change.action != "same" for change in comparison.wanted),
            "basis": comparison.basis,
            "generation": ledger.generation,
            "unfinished": self._is_unfinished(ledger),
            "kept": [id for id, entry in ledger.entries.items() if entry["state"] == "kept"],
            "last_run": ledger.last_run(),
        }
        former = self._identity_taken_over(comparison, ledger)
        if identity := former | ledger.identity:
            answer |= {"identity": identity, "has_data": bool(former) or ledger.has_data()}
        if holder := lock_holder(self.home):
            answer["busy"] = describe(holder)
        if comparison.blocked:
            owners = Others(self.eyes, ledger).at_work()
            answer["owners"] = sorted({owners[change.id] for change in comparison.blocked if change.id in owners})
        if target is not None:
            answer |= {"target": target, "images": [_told(item) for item in wish.items if "layers" in item]}
        if comparison.changes:
            answer |= self._needs(comparison, ledger, target)
            answer |= {"concerns": words} if (words := self._concerns(wish, ledger)) else {}
        return answer

    def _concerns(self, wish: Wish, ledger: Ledger) -> list[str]:
        """What other deployments here have that this one should know of."""
        ours = {item["id"] for item in wish.items}
        theirs = ((name, item) for name, item in Others(self.eyes, ledger).items() if item["id"] not in ours)
        return list(dict.fromkeys(words for name, item in theirs if (words := kind_of(item).concerns(name))))

    def _identity_taken_over(self, comparison: Comparison, ledger: Ledger) -> Record:
        """What data is known by that would be taken over from other deployments."""
        keepers = Others(self.eyes, ledger).keepers()
        identity: Record = {}
        for change in comparison.making:
            if change.id in keepers and keepers[change.id].bears_data(change.id):
                identity |= keepers[change.id].identity
        return identity

    def _is_unfinished(self, ledger: Ledger) -> bool:
        """Whether an earlier run is still owed its end: the record of it, or that the record goes."""
        if lock_holder(self.home):
            return False
        has_stopped = (ledger.last_run() or {}).get("state") in ("running", "failed")
        return has_stopped or (self.request.get("forget", False) and ledger.is_left_over())

    def _describe(self, change: Change) -> Record:
        described: Record = {"id": change.id, "action": change.action}
        if change.reasons:
            described["reasons"] = change.reasons
        if change.is_drift:
            described["drift"] = True
        if change.item.get("data"):
            described["data"] = True
        return described | kind_of(change.item).shown(self.eyes, change, self._blobs() if self._is_rollback else None)

    @property
    def _is_rollback(self) -> bool:
        return bool(self.request["op"] == "rollback")

    def _blobs(self) -> Blobs:
        return Blobs(os.path.join(self.home, "store"))

    def _needs(self, comparison: Comparison, ledger: Ledger, target: int | None) -> Record:
        """What the deployer has to send along, should it order these changes."""
        blobs, making = self._blobs(), comparison.making
        contents = {sha256 for c in making for sha256 in kind_of(c.item).contents(self.eyes, c.item)}
        needs: Record = {
            "contents": sorted(sha256 for sha256 in contents if not blobs.has(sha256)),
            "secrets": [change.id for change in making if "seal" in change.item and change.action != "adopt"],
            "leaving_packages": comparison.packages.leaving,
            "staying_packages": comparison.packages.staying,
        }
        for kind, changes in by_kind(making):
            needs |= kind.asks(self.eyes, changes, ledger, target)
        return needs

    def _renamed(self, name: str) -> Record:
        """How far a deployment is on its way to another name, once that is done which the request asks for."""
        from .renaming import rename, state_of  # seldom needed

        former = self.request["former"]
        if about := self.request.get("about"):
            rename(self.home, former, name, {**about, "time": now()})
        state = state_of(self.home, former, name)
        present = Ledger(self.home, former if state == "ready" else name)
        holder = lock_holder(self.home)
        return {
            "event": "renamed",
            "state": state,
            "items": len(present.entries),
            "busy": describe(holder) if holder else "",
        }

    def _status(self, ledger: Ledger) -> Record:
        from .disk_space import disk_of_data  # not needed to plan
        from .generations import told_of  # not needed to plan

        return {
            "event": "status",
            "generation": ledger.generation,
            "generations": told_of(ledger),
            "items": {id: entry["state"] for id, entry in ledger.entries.items()},
            "last_run": ledger.last_run(),
            "busy": describe(holder) if (holder := lock_holder(self.home)) else "",
            "notes": ledger.notes(),
            "neighbours": neighbours(self.home, ledger.deployment),
            "disk": disk_of_data(self.root),
            "python": "{}.{}.{}".format(*sys.version_info),
            **release(self.eyes),
        }

    def _health(self, ledger: Ledger) -> Record:
        """How well that is what is held here, and what is pending, if that is asked."""
        if not self.request.get("health"):
            return {}
        from .health import health_of  # not needed to plan
        from .pending import listed
        from .upgrading import upgradable

        self.eyes.say_alive = lambda: self.channel.send({"event": "alive"})
        upgrades = upgradable(self.eyes, ledger) | {"listed": listed(self.eyes)}
        return {"health": health_of(self.eyes, ledger), "upgrades": upgrades}

    # Upgrades

    def _upgrade(self, ledger: Ledger) -> int:
        from .upgrading import Upgrading, basis_of, upgradable  # not needed to plan

        self.channel.send(upgradable(self.eyes, ledger))
        signal.alarm(PATIENCE_SECONDS)
        order = self.channel.receive()
        with lock(self.home, {"who": order["who"], "since": now(), "run": order["run"]}) as held:
            ledger = Ledger(self.home, self.request["deployment"])
            hands = Hands(self.root, note_command=self._noting(held))
            if basis_of(hands, ledger) != order["basis"]:
                raise Trouble("has changed since it was planned; nothing was done", code="stale", hint="plan again")
            self._take_in(order["blobs"], self._blobs(), [])
            upgrading = Upgrading(hands, ledger, self.channel.send)
            return self._in_a_session_of_its_own(lambda unit: self._end_of_upgrade(upgrading, order, unit))

    def _end_of_upgrade(self, upgrading: "Upgrading", order: Record, unit: str) -> int:
        from .confidential import secrets_known  # not needed to plan

        start = time.monotonic()
        try:
            upgrading.run(order, {"time": now(), "who": order["who"]})
        except Exception as error:
            items = [entry["item"] for entry in upgrading.ledger.entries.values()]
            secrets = secrets_known(upgrading.hands, items, {})
            self.channel.send(as_event(redacted(trouble_from(error), secrets)))
            return 1
        done = {"event": "done", "generation": upgrading.ledger.generation, "unit": unit}
        self.channel.send(done | {"seconds": round(time.monotonic() - start, 3)})
        return 0

    def _reboot(self) -> int:
        """Says that it will before it does: the connection may be the first to go."""
        from .upgrading import reboot  # not needed to plan

        asked = {"who": self.request["who"], "since": now(), "run": self.request["run"]}
        with lock(self.home, asked) as held:
            hands = Hands(self.root, note_command=self._noting(held))
            self.channel.send({"event": "noted"})
            reboot(hands, Ledger(self.home, self.request["deployment"]), {"time": now(), "who": self.request["who"]})
        return 0

    # The order

    def _obey(self, order: Record, wish: Wish) -> int:
        from .batch import Batch  # not needed to plan

        holder = {"who": order["who"], "since": now(), "run": order["run"]}
        with lock(self.home, holder) as held:
            ledger = Ledger(self.home, self.request["deployment"])
            ledger.identity = self._identity(ledger, order)
            hands = Hands(self.root, bytes.fromhex(self.request.get("seal", "")), note_command=self._noting(held))
            hands.say_alive = self._still_patient
            comparison = compare(hands, wish, ledger)
            del hands.say_alive  # at work it is said without asking
            self._refuse_if_moved(order, comparison)
            blobs = self._blobs()
            self._take_in(order["blobs"], blobs, [c.item for c in comparison.making if c.action != "adopt"])
            work = Work(blobs, order["secrets"], wish.purge, ledger.save, self.channel.send)
            others = Others(hands, ledger)
            batch = Batch(hands, wish, comparison, ledger, work, others, order["debs"], self.channel.send)
            return self._in_a_session_of_its_own(lambda unit: self._converge(batch, order, unit))

    def _noting(self, held: Lock) -> Callable[[int, str, float], None]:
        """Notes each command in the lock, and tells the deployer of those that may take long."""

        def note(process: int, name: str, seconds: float) -> None:
            held.note_command(process, name)
            if seconds > TOLD_FROM_SECONDS:
                self.channel.send({"event": "alive", "longest": seconds})

        return note

    def _still_patient(self) -> None:
        """Looking may take a while too: the deployer is told, and the agent gives itself more time."""
        self.channel.send({"event": "alive"})
        signal.alarm(PATIENCE_SECONDS)

    def _identity(self, ledger: Ledger, order: Record) -> Record:
        """What the deployment is known by from now on; in a rollback, what it was known by then."""
        target = order["aim"].get("target")
        if target is None:
            return {**ledger.identity, **self.request.get("identity", {})}
        identity: Record = ledger.read_generation(target).get("identity", ledger.identity)
        return identity

    def _refuse_if_moved(self, order: Record, comparison: Comparison) -> None:
        if comparison.basis != order["basis"]:
            raise Trouble("has changed since it was planned; nothing was done", code="stale", hint="plan again")
        if comparison.blocked:
            names = ", ".join(change.id for change in comparison.blocked)
            raise Trouble(f"cannot be changed as planned: {names}; nothing was done", code="blocked")

    def _take_in(self, announced: list[Record], blobs: Blobs, making: list[Record]) -> None:
        os.makedirs(blobs.directory, mode=0o700, exist_ok=True)
        layers = [layer for item in making for layer in kind_of(item).unpacked(self.eyes, item)]
        from .disk_space import require_disk_space

        require_disk_space(self.root, sum(blob["size"] for blob in announced), layers)
        for blob in announced:
            blobs.add(blob["sha256"], self._patiently(self.channel.blob(blob["size"])))

    def _patiently(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces; a deployer that sends no more shall not hold the host's lock for ever."""
        for piece in pieces:
            signal.alarm(PATIENCE_SECONDS)
            yield piece

    def _in_a_session_of_its_own(self, work: Callable[[str], int]) -> int:
        """Forks, so that neither a dropped connection nor the end of a login cuts the work in half."""
        signal.alarm(0)
        child = os.fork()
        if child:
            return _end_of(child)
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.channel.show_life(ALIVE_SECONDS)
        status = 1
        try:
            status = work(self._in_a_unit_of_its_own())
        except BaseException as error:
            self.channel.send(as_event(Trouble(f"the agent failed: {type(error).__name__}", code="agent")))
            raise
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _in_a_unit_of_its_own(self) -> str:
        """The name of the unit that the work is done in; nothing where there is no systemd."""
        if self.root != "/":
            return ""
        from .own_unit import enter  # needs what is slow to import

        return enter(self.request["deployment"])

    def _converge(self, batch: "Batch", order: Record, unit: str) -> int:
        from .confidential import secrets_known  # not needed to plan
        from .converge import Convergence

        start, ledger = time.monotonic(), batch.ledger
        items = [*batch.wish.items, *(item for entry in ledger.entries.values() for item in former_items(entry))]
        secrets = secrets_known(batch.hands, items, order["secrets"])
        run = {"run": order["run"], "who": order["who"], "time": now(), **order["aim"], "unit": unit}
        try:
            ledger.note_run({**run, "state": "running"})
            self._keep_agent()
            Convergence(batch._replace(tell=self._telling(unit))).run(
                {**run, "note": order["note"], "identity": ledger.identity}
            )
            ledger.note_run({**run, "state": "done"})
            generation = 0 if self._forget_if_asked(ledger) else ledger.generation
        except Exception as error:
            trouble = redacted(trouble_from(error), secrets)
            self._note_failure(ledger, run, trouble)
            self.channel.send(as_event(trouble))
            return 1
        self.channel.send(
            {"event": "done", "generation": generation, "seconds": round(time.monotonic() - start, 3), "unit": unit}
        )
        return 0

    def _telling(self, unit: str) -> Callable[[Record], None]:
        """Tells the deployer what is done, and the journal of the unit, where there is one."""
        if not unit:
            return self.channel.send
        from .own_unit import write_journal

        def tell(event: Record) -> None:
            self.channel.send(event)
            if event.get("phase") == "end":
                write_journal(f"{event['action']} {event['id']}{' failed' if event.get('failed') else ''}")

        return tell

    def _note_failure(self, ledger: Ledger, run: Record, trouble: Trouble) -> None:
        """A full disk may be the trouble itself: then the report is all that is left."""
        try:
            ledger.save()
            ledger.note_run({**run, "state": "failed", "item": trouble.item, "message": trouble.message})
        except OSError as error:
            trouble.message += f" (and the host's record of this run could not be written: {error.strerror})"

    def _forget_if_asked(self, ledger: Ledger) -> bool:
        """Leaves no trace of a removed deployment, unless something of it was kept."""
        is_over = bool(self.request.get("forget")) and not ledger.entries
        if is_over:
            ledger.forget()
        return is_over

    def _keep_agent(self) -> None:
        """Keeps this agent on the host, so that the next contact need not send it."""
        place = os.path.join(self.home, "agent", self.request["agent"])
        if self.root == "/" and not os.path.isdir(place) and os.path.isfile(self.origin):
            from .keeping import keep

            with contextlib.suppress(OSError):  # on a full disk; then it is sent each time
                keep(self.origin, place)


def _import_what_changes() -> None:
    """While the deployer reads the answer. Not later than that: a newer agent may take this one's place meanwhile."""
    from . import converge, disk_space  # noqa: F401


def _end_of(child: int) -> int:
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        raise Trouble(
            f"the agent was killed by signal {-status} in the middle of its work",
            code="agent",
            hint="apply again: that completes what was begun",
        )
    return status


def _for_this_machine(items: list[Record]) -> list[Record]:
    return [kind_of(item).for_this_machine(item) for item in items]


def _told(image: Record) -> Record:
    """What the deployer has to know of an image that a rollback wants back."""
    layers = [layer["sha256"] for layer in image["layers"]]
    return {**{key: image[key] for key in ("reference", "manifest", "config")}, "layers": layers}


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
