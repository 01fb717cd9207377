"""One apply, as it is ordered: compared once more under the lock, carried out, and recorded however it ends."""

import contextlib
import os
import time
from collections.abc import Callable

from .batch import Batch
from .change import Comparison, Wish
from .compare import compare, former_items
from .confidential import secrets_known
from .contact import Contact
from .converge import Convergence
from .hands import Hands
from .ledger import Ledger, Record
from .order import in_a_session_of_its_own, locked, now, take_in, wait_on
from .others import Others
from .trouble import Trouble, as_event, redacted, trouble_from
from .work import Work


class Applying:
    """What a deployer ordered to be made as it wishes."""

    def __init__(self, contact: Contact, wish: Wish, order: Record) -> None:
        self.contact = contact
        self.request = contact.request
        self.channel = contact.channel
        self.wish = wish
        self.order = order

    def run(self) -> int:
        with locked(self.contact, self.order, bytes.fromhex(self.request.get("seal", ""))) as hands:
            ledger = self.contact.ledger
            ledger.identity = self._identity(ledger)
            others = Others(hands, ledger)
            comparison = self._compared(hands, ledger, others)
            self._refuse_if_moved(comparison)
            batch = self._batch(hands, ledger, comparison, others)
            return in_a_session_of_its_own(self.contact, lambda unit: self._converge(batch, unit))

    def _identity(self, ledger: Ledger) -> Record:
        """What the deployment is known by from now on; in a rollback, what it was known by then."""
        target = self.order["aim"].get("target")
        if target is None:
            return {**ledger.identity, **self.request.get("identity", {})}
        identity: Record = ledger.read_generation(target).get("identity", ledger.identity)
        return identity

    def _compared(self, hands: Hands, ledger: Ledger, others: Others) -> Comparison:
        """Looking may take a while too: the deployer is told, and the agent gives itself more time."""

        def say_alive() -> None:
            self.contact.say_alive()
            wait_on()

        hands.say_alive = say_alive
        comparison = compare(hands, self.wish, ledger, others)
        del hands.say_alive  # at work it is said without asking
        return comparison

    def _refuse_if_moved(self, comparison: Comparison) -> None:
        if comparison.basis != self.order["basis"]:
            raise Trouble("has changed since it was planned; nothing was done", code="stale", hint="plan again")
        if comparison.blocked:
            names = ", ".join(change.id for change in comparison.blocked)
            raise Trouble(f"cannot be changed as planned: {names}; nothing was done", code="blocked")

    def _batch(self, hands: Hands, ledger: Ledger, comparison: Comparison, others: Others) -> Batch:
        making = [change.item for change in comparison.making if change.action != "adopt"]
        blobs = take_in(self.contact, self.order["blobs"], making)
        work = Work(blobs, self.order["secrets"], self.wish.purge, ledger.save, self.channel.send)
        return Batch(hands, self.wish, comparison, ledger, work, others, self.order["debs"], self.channel.send)

    # In a session of its own

    def _converge(self, batch: Batch, unit: str) -> int:
        start, ledger = time.monotonic(), batch.ledger
        secrets = self._secrets(batch)
        run = {
            "run": self.order["run"], "who": self.order["who"], "time": now(), **self.order["aim"], "unit": unit,
        }  # fmt: skip
        try:
            generation = self._carry_out(batch, run)
        except Exception as error:
            trouble = redacted(trouble_from(error), secrets)
            _note_failure(ledger, run, trouble)
            self.channel.send(as_event(trouble))
            return 1
        seconds = round(time.monotonic() - start, 3)
        self.channel.send({"event": "done", "generation": generation, "seconds": seconds, "unit": unit})
        return 0

    def _secrets(self, batch: Batch) -> set[str]:
        """What must not be told, whatever fails."""
        entries = batch.ledger.entries.values()
        items = [*batch.wish.items, *(item for entry in entries for item in former_items(entry))]
        return secrets_known(batch.hands, items, self.order["secrets"])

    def _carry_out(self, batch: Batch, run: Record) -> int:
        """The number of the generation that was reached; none if nothing is left to have one."""
        ledger = batch.ledger
        ledger.note_run({**run, "state": "running"})
        convergence = Convergence(batch._replace(tell=self._telling(run["unit"])))
        try:
            convergence.run({**run, "note": self.order["note"], "identity": ledger.identity})
        finally:
            self._keep_agent()
        if checks := self.order.get("checks", {}).get(str(ledger.generation)):
            ledger.keep_checks(checks)
        ledger.note_run({**run, "state": "done"})
        return 0 if self._forget_if_asked(ledger) else ledger.generation

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

    def _forget_if_asked(self, ledger: Ledger) -> bool:
        """Leaves no trace of a removed deployment, unless something of it was kept."""
        is_over = bool(self.request.get("forget")) and not ledger.entries
        if is_over:
            ledger.forget()
        return is_over

    def _keep_agent(self) -> None:
        """Keeps this agent on the host, so that the next contact need not send it.

        Not earlier: by now, what it needs is compiled.
        """
        contact = self.contact
        if contact.root == "/" and not contact.origin:
            from .keeping import keep

            with contextlib.suppress(OSError):  # on a full disk; then it is sent each time
                keep(os.path.join(contact.home, "agent", self.request["agent"]))


def _note_failure(ledger: Ledger, run: Record, trouble: Trouble) -> None:
    """A full disk may be the trouble itself: then the report is all that is left."""
    try:
        ledger.save()
        ledger.note_run({**run, "state": "failed", "item": trouble.item, "message": trouble.message})
    except OSError as error:
        trouble.message += f" (and the host's record of this run could not be written: {error.strerror})"
