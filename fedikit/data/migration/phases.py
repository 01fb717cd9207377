"""The phases of a migration: what each does. Never do both sides serve.

The side that is left is closed, and tried to be, before the other opens.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from fedikit.data.carrying_secrets import carry_secrets
from fedikit.data.certificates import ask_for_certificates, carry_all_certificates, domains_of, sites_on
from fedikit.data.closing import Why
from fedikit.data.migration.abreast import for_each
from fedikit.data.migration.at_work import AtWork
from fedikit.data.migration.names import lead_names
from fedikit.data.migration.sides import Pair
from fedikit.data.migration.staging import checks_before_names, staged
from fedikit.errors import FedikitError
from fedikit.model.deployment import Deployment
from fedikit.results.backup import Backup
from fedikit.results.migration import Phase
from fedikit.secrets import Vault
from fedikit.secrets.own import secrets_of


class Migration(AtWork):
    """One migration of all applications, there or back."""

    @property
    def _acts(self) -> Mapping[Phase, Callable[[], None]]:
        return {
            "secrets": self._carry_secrets, "stage": self._stage, "copy": self._copy, "close": self._close,
            "differences": self._copy_differences, "open": self._open, "start": self._start,
            "names": self._lead_names, "verify": self._verify, "afterwards": self._finish, "reopen": self._reopen_old,
        }  # fmt: skip

    @property
    def leaving(self) -> list[Pair]:
        """Those that go to another host."""
        return self.pairs

    @property
    def copied(self) -> list[Pair]:
        """Those of them that are copied while they serve."""
        return self.pairs

    @property
    def new_sites(self) -> set[str]:
        """The domains of web sites that the side that is left does not have."""
        there = {domain for host in self.left.hosts for domain in sites_on(self.left, host)}
        return {domain for name in self.names for domain in domains_of(self.taken, name)} - there

    # Before: nobody notices anything

    def _carry_secrets(self) -> None:
        for name in self.names:
            carry_secrets(self.left, name, to=self.sides.file, configuration=self.sides.configuration)
        self.sides = self.sides.with_secrets()
        self.hosting = self.sides.new
        self.taken = self.hosting.deployment(self.sides.configuration)

    def _stage(self) -> None:
        """Everything is set up on the new side but the applications themselves, which are closed there before that."""
        self.hands.set_up(staged(self.taken, self.names), closing=self.pairs)
        self._close_new()
        for pair in self.pairs:
            carry_all_certificates(self.left, self.taken, pair.application)

    def _close_new(self) -> None:
        for_each(self.pairs, self._close_where_it_comes)

    def _close_where_it_comes(self, pair: Pair) -> None:
        """If it is closed for the migration whose place this one takes, it is for this one from now on."""
        self.hands.close(self.taken, pair.target, pair.application, instead=self.plan.instead)

    def _copy(self) -> None:
        for_each(self.copied, self._carry)

    # The switch: from here on nobody can write until the new side serves

    def _close(self) -> None:
        self._require_secrets()
        self._open_ways()
        self.note(closed_at=self.journal.closed_at or time.time())
        self.note(closed=for_each(self.pairs, lambda pair: self._close_left(pair, self._why_closed(pair))))

    def _require_secrets(self) -> None:
        """The side that is come to could not start without one of them, and no other would serve by then."""
        vault = Vault.of(self.taken)
        for secret in secrets_of(self.taken):
            vault.value(secret)

    def _open_ways(self) -> None:
        """Before anything closes: by them the differences go."""
        for_each(self.copied, lambda pair: self.hands.open_way(pair, self.left, self.taken))

    def _close_left(self, pair: Pair, why: Why = "moving") -> str:
        """Since when it is closed."""
        told = self.hands.close(self.left, pair.source, pair.application, why=why)
        if told.why == "reading":
            self.reading.add(pair.application)
        elif why == "reading":
            reason = told.note or "it cannot be shown that nobody writes"
            self.remarks.append(f"{pair.application} cannot be read meanwhile: on {pair.source}, {reason}")
        return f"{told.since}"

    def _why_closed(self, pair: Pair) -> Why:
        """What can be read meanwhile goes on being read."""
        return "reading" if self.left.hosts[pair.source].data[pair.application].reads else "moving"

    def _copy_differences(self) -> None:
        """The side that is left stands still; what comes out on the other must be equal, row for row."""
        for_each(self.copied, self._compare)
        self._require_the_same()

    def _compare(self, pair: Pair) -> None:
        self.compared[pair.application] = self._carry(pair)

    def _require_the_same(self) -> None:
        unlike = [f"{name}: {'; '.join(words[:9])}" for name, words in self.compared.items() if words]
        if unlike:
            raise FedikitError(f"what was copied is not what was there: {' · '.join(unlike)}", hint="do the same again")

    def _open(self) -> None:
        """From here on the new side may be written to: it is written down before."""
        self._require_secrets()
        self._shut_what_is_left()
        self.note(has_begun=True)
        goes_back = self.plan.direction == "back"
        let_run = self.hands.open_and_start if goes_back else self.hands.open
        for_each(self.pairs, lambda pair: let_run(self.taken, pair.target, pair.application))
        if goes_back:
            self.note(opened_at=time.time())

    def _shut_what_is_left(self) -> None:
        """Nobody reads there any more. What was written there after its differences were copied would be lost."""
        is_known = "close" in {done.phase for done in self.phases}
        stay = [pair for pair in self.pairs if pair.source == pair.target and self.journal.has_begun]
        left = [pair for pair in self.pairs if pair not in stay and (pair.application in self.reading or not is_known)]
        opened = [pair for pair in left if self._close_left(pair) != self.journal.closed.get(pair.application)]
        if opened:
            self._forget_the_switch()
            names = ", ".join(f"{pair.application} on {pair.source}" for pair in opened)
            hint = "do the same again: the switch begins anew"
            raise FedikitError(f"somebody opened {names} since it was closed, and may have written there", hint=hint)

    def _start(self) -> None:
        self._start_with(self.taken)

    def _start_with(self, deployment: Deployment) -> None:
        self.hands.set_up(deployment, self._hosts_to_start)
        self.note(opened_at=time.time())
        addresses: dict[str, tuple[str, ...]] = {}
        for record in self.taken.dns:
            addresses[record.name] = (*addresses.get(record.name, ()), record.address)
        self.hands.require(self.taken, checks_before_names(self.taken, self.new_sites), addresses)

    # After: the new side serves

    def _lead_names(self) -> None:
        """Who still comes to the side that was left is told that it has moved."""
        for_each(self.leaving, lambda pair: self.hands.close(self.left, pair.source, pair.application, why="moved"))
        lead_names(self.hosting, self.taken, leaving=self.left, seconds=self.names_seconds, tell=self.tell)
        for name in self.names:
            ask_for_certificates(self.taken, name)

    def _verify(self) -> None:
        self.hands.require(self.taken, self.taken.checks, {})

    def _finish(self) -> None:
        """What may take hours, and nobody waits for."""
        for_each(self.pairs, self._settle)

    def _settle(self, pair: Pair) -> None:
        """Its first backup where it serves now; then what makes anew what no backup holds, such as timelines."""
        failure: FedikitError | None = None
        try:
            self.hands.back_up(self.taken, pair.target, pair.application)
        except FedikitError as error:
            failure = error
        self.hands.do_what_follows(self.taken, pair.target, pair.application)
        if failure:
            raise failure

    def _reopen_old(self) -> None:
        """Of a way back before anybody wrote to the new side."""
        self._forget_the_switch()
        for_each(self.pairs, lambda pair: self.hands.open_and_start(self.taken, pair.target, pair.application))
        self.note(closed_at=None)

    # What several phases do

    def _carry(self, pair: Pair) -> tuple[str, ...]:
        """Backs up where it comes from, and restores that where it goes; in what the two differ."""
        backup = self._backed_up(pair).id
        differences = self.hands.bring(pair, self.left, self.taken, backup)
        self._note_copied(pair, backup)
        return differences

    def _backed_up(self, pair: Pair) -> Backup:
        """Backs up where it comes from."""
        return self.hands.back_up(self.left, pair.source, pair.application)

    @property
    def _hosts_to_start(self) -> Sequence[str]:
        """Those to apply to when the side that is come to starts; all if empty."""
        return ()
