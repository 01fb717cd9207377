"""A plan in plain words: what would be lost, what stands in the way, what changes, and how long it takes.

Every sentence is plain text, without a full stop: whoever shows it escapes it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fedikit.model.item import Job, Package, Unit, class_of
from fedikit.panel.amounts import about, listed, size
from fedikit.panel.owners import Owners, catalogue, spelt
from fedikit.panel.said import told
from fedikit.panel.settings_changed import settings_changed
from fedikit.panel.texts import Texts
from fedikit.panel.things import Things
from fedikit.results.moves import Move, moves_of
from fedikit.results.plan import HostPlan, Plan, PlannedChange
from fedikit.results.upgrade import Upgrade

_ARRIVES = ("create", "adopt", "run")
_MAKES = ("create", "update", "run")
_LEAVES = ("delete", "restore", "release", "keep")
_RESTARTS = "to restart or reload"


@dataclass(frozen=True)
class PlanInWords:
    """What a plan means to those who use the services; each sentence stands alone."""

    lost: tuple[str, ...]
    """What cannot be had back: to be shown first."""
    refused: tuple[str, ...]
    """Why it cannot be done, and what to do."""
    changes: tuple[str, ...]
    """What changes: a sentence an application and host."""
    kept: tuple[str, ...]
    """What stays though nothing asks for it any more."""
    rest: str
    effort: str
    """How long it takes, and how much is to be sent; empty where there is nothing to do."""

    @property
    def sentence(self) -> str:
        """All in one."""
        effort = self.effort[:1].upper() + self.effort[1:]
        parts = (*self.lost, *self.refused, *self.changes, *self.kept, self.rest, effort)
        return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def plan_in_words(
    plan: Plan,
    *,
    text: Texts,
    seconds: float | None = None,
    changed: Mapping[str, Sequence[str]] | None = None,
) -> PlanInWords:
    """The plan in words.

    `seconds`: how long it is expected to take. `changed`: by application, the titles of the settings that the operator
    changed; found in the files that would change if absent.
    """
    teller = _Teller(plan, text, changed)
    return PlanInWords(
        lost=teller.sentences(teller.lost()),
        refused=teller.sentences(teller.refused()),
        changes=teller.sentences(teller.changes()),
        kept=teller.sentences(teller.kept()),
        rest=teller.rest(),
        effort=teller.effort(seconds),
    )


class _Teller:
    def __init__(self, plan: Plan, text: Texts, changed: Mapping[str, Sequence[str]] | None) -> None:
        self.plan = plan
        self.text = text
        self.owners = Owners(plan)
        self.things = Things(text)
        self._changed = changed
        self._moves = moves_of(plan) if plan.moves else ()

    def sentences(self, told: Iterable[str]) -> tuple[str, ...]:
        """With a capital each, unless they begin with a name, which is written as it is."""
        names = {*self.plan.hosts, *catalogue()}
        return tuple(one if one.split()[0].rstrip(":") in names else one[0].upper() + one[1:] for one in told)

    # What is lost

    def lost(self) -> Iterator[str]:
        for host, planned in self.plan.hosts.items():
            gone = [change for change in planned.changes if change.action == "delete" and change.bears_data]
            for applications, changes in self.owners.share(host, gone).items():
                yield self._loss(host, applications, changes)
            yield from (self._downgrade(host, upgrade) for upgrade in planned.upgrades if upgrade.is_backwards)
        yield from (self._moved(move) for move in self._moves)

    def _loss(self, host: str, applications: tuple[str, ...], gone: list[PlannedChange]) -> str:
        what = self.things.all_of(gone)
        if not applications:
            return self.text("{what} on {host} will be destroyed with all that is in it", what=what, host=host)
        names = listed(map(spelt, applications), text=self.text)
        message = "The data of {application} on {host} will be destroyed: {what}"
        return self.text(message, application=names, host=host, what=what)

    def _downgrade(self, host: str, upgrade: Upgrade) -> str:
        message = (
            "{software} on {host} goes back from version {was} to {becomes}, "
            "which may not read what the newer one wrote"
        )
        return self.text(message, software=spelt(upgrade.software), host=host, was=upgrade.was, becomes=upgrade.becomes)

    def _moved(self, move: Move) -> str:
        what = self.things.one(f"{move.kind}:{move.name}")
        left = (
            self.text("{what} is destroyed on {host}", what=what, host=move.source)
            if move.is_lost
            else self.text("{what} stays behind on {host}", what=what, host=move.source)
        )
        begins = {
            "empty": "{target} begins without its data",
            "older": "{target} begins with what was left there earlier",
            "unknown": "{target} begins with whatever is there",
        }[move.begins]
        advice = "Have it copied before" if move.is_lost else "Ask your provider to bring it over: fedikit move"
        return f"{left}; {self.text(begins, target=move.target)}. {self.text(advice)}"

    # What stands in the way

    def refused(self) -> Iterator[str]:
        for host, planned in self.plan.hosts.items():
            if planned.error:
                yield self.text(
                    "{host} cannot be asked: {reason}", host=host, reason=told(planned.error, text=self.text)
                )
            yield from self._refusals(planned)
            for change in planned.changes:
                if change.action == "blocked":
                    reason = ", ".join(told(reason, text=self.text) for reason in change.reasons)
                    yield self.text(
                        "{what} on {host} is in the way: {reason}",
                        what=self.things.one(change.id),
                        host=host,
                        reason=reason,
                    )

    def _refusals(self, planned: HostPlan) -> Iterator[str]:
        """What is refused; of data that moves, `lost` tells already what, so it is only said what to do."""
        for words in planned.refused:
            if not any(words.startswith(str(move)) for move in self._moves):
                yield f"{planned.host}: {told(words, text=self.text)}"
        if any(words.startswith(str(move)) for words in planned.refused for move in self._moves):
            message = "Nothing is done on {host} until it was brought over, or you agree to begin anew there"
            yield self.text(message, host=planned.host)

    # What changes

    def changes(self) -> Iterator[str]:
        for host, planned in self.plan.hosts.items():
            if planned.error or planned.is_noop:
                continue
            if planned.note:
                yield f"{host}: {told(planned.note, text=self.text)}"
            yield from (told(words, text=self.text) for words in planned.people)
            if planned.target is not None:
                message = "{host} goes back to how it was before (generation {number})"
                yield self.text(message, host=host, number=planned.target)
            alone, shared = self._divided(planned)
            for name, changes in alone.items():
                if not self._is_aside(host, name, changes):
                    yield self._sentence(planned, name, changes)
                elif self._is_new(host, name, changes):
                    yield self.text("{application} will keep data on {host}", application=spelt(name), host=host)
            if not alone and planned.target is None:
                yield from self._of_the_host(planned, shared)

    def _divided(self, planned: HostPlan) -> tuple[dict[str, list[PlannedChange]], list[PlannedChange]]:
        """The changes by the one application that they are for, and those that are for several or none."""
        alone: dict[str, list[PlannedChange]] = {}
        shared: list[PlannedChange] = []
        for change in planned.changes:
            if change.action == "keep" and change.drift:
                continue
            owners = self.owners.of(planned.host, change.id)
            (alone.setdefault(owners[0], []) if len(owners) == 1 else shared).append(change)
        return alone, shared

    def _sentence(self, planned: HostPlan, application: str, changes: list[PlannedChange]) -> str:
        host, name = planned.host, spelt(application)
        if self._is_new(host, application, changes):
            found = any(change.action == "adopt" and class_of(change.id).may_bear_data for change in changes)
            message = "{application} will be installed on {host}, with the data that it left there"
            return self.text(
                message if found else "{application} will be installed on {host}", application=name, host=host
            )
        if self._is_leaving(host, application, changes):
            stays = any(change.action == "keep" and change.bears_data for change in changes)
            message = "{application} will be removed from {host}; its data stays there"
            return self.text(
                message if stays else "{application} will be removed from {host}", application=name, host=host
            )
        details = "; ".join(self._details(planned, application, changes))
        return self.text("{application} on {host}: {details}", application=name, host=host, details=details)

    def _is_aside(self, host: str, application: str, changes: list[PlannedChange]) -> bool:
        """Whether it only has something kept there, and runs elsewhere."""
        if application in self.owners.are_placed(host):
            return False
        is_elsewhere = any(application in self.owners.are_placed(other) for other in self.plan.deployment.hosts)
        is_coming = any(change.action not in _LEAVES for change in changes)
        runs = any(class_of(change.id) in (Unit, Package, Job) for change in changes)
        if is_elsewhere or is_coming:
            return not runs or (is_elsewhere and is_coming)
        return all(class_of(change.id).may_bear_data for change in changes)

    def _is_new(self, host: str, application: str, changes: list[PlannedChange]) -> bool:
        arriving = {change.id for change in changes if change.action in _ARRIVES}
        wanted = self.owners.wanted(host, application)
        return bool(wanted) and wanted <= arriving

    def _is_leaving(self, host: str, application: str, changes: list[PlannedChange]) -> bool:
        is_placed = application in self.owners.are_placed(host)
        is_known = self.plan.purpose != "rollback" and not self.owners.wanted(host, application)
        return not is_placed and is_known and all(change.action in _LEAVES for change in changes)

    def _details(self, planned: HostPlan, application: str, changes: list[PlannedChange]) -> Iterator[str]:
        upgrades = [upgrade for upgrade in planned.upgrades if self._is_for(planned.host, upgrade, application)]
        for upgrade in upgrades:
            yield self.text("version {becomes} comes for {was}", becomes=upgrade.becomes, was=upgrade.was)
        if titles := self._titles(application, changes):
            yield self.text.plural(
                "{names} changes", "{names} change", len(titles), names=listed(titles, text=self.text)
            )
        elif self.plan.purpose == "rollback":
            yield self.text("goes back to how it was")
        elif not upgrades and any(change.action in _MAKES and not change.drift for change in changes):
            yield self.text("its settings change")
        if any(change.drift for change in changes):
            yield self.text("what was changed there by hand is put back")
        if any(_RESTARTS in change.reasons for change in changes):
            yield self.text("it restarts")

    def _is_for(self, host: str, upgrade: Upgrade, application: str) -> bool:
        return self.owners.of(host, f"image:{upgrade.repository}:{upgrade.becomes}") == (application,)

    def _titles(self, application: str, changes: list[PlannedChange]) -> list[str]:
        if self._changed is not None:
            return [self.text(title) for title in self._changed.get(application, ())]
        return [self.text(title) for title in settings_changed(application, changes)]

    def _of_the_host(self, planned: HostPlan, shared: list[PlannedChange]) -> Iterator[str]:
        """What is told where no application of the host changes."""
        if self.plan.purpose == "remove":
            yield self.text("What was installed on {host} will be removed", host=planned.host)
        elif shared:
            message = "What the services on {host} share changes: {what}"
            yield self.text(message, host=planned.host, what=self.things.all_of(shared))
        elif planned.unfinished:
            yield self.text("What was interrupted on {host} will be completed", host=planned.host)

    # What stays

    def kept(self) -> Iterator[str]:
        for host, planned in self.plan.hosts.items():
            known = {change.id for change in planned.changes}
            earlier = [PlannedChange(id=id, action="keep", data=True) for id in planned.kept if id not in known]
            for applications, changes in self.owners.share(host, earlier).items():
                whose = (
                    listed(map(spelt, applications), text=self.text) if applications else self.things.all_of(changes)
                )
                yield self.text("What {whose} left on {host} earlier stays there", whose=whose, host=host)
            alone, shared = self._divided(planned)
            for name, changes in alone.items():
                if self._is_aside(host, name, changes) and any(change.action == "keep" for change in changes):
                    yield self.text("What {whose} keeps on {host} stays there", whose=spelt(name), host=host)
            if others := [change for change in shared if change.action == "keep"]:
                yield self.text("On {host} stays {what}", what=self.things.all_of(others), host=host)
            if edited := [change for change in planned.changes if change.action == "keep" and change.drift]:
                message = "Changed by hand on {host}, and left so: {what}"
                yield self.text(message, what=self.things.all_of(edited), host=host)

    def rest(self) -> str:
        if self.plan.is_noop:
            return self.text("Nothing changes: everything is as it should be")
        if not self.plan.has_changes:
            return self.text("Nothing will be changed")
        return self.text("Nothing else changes")

    def effort(self, seconds: float | None) -> str:
        if not self.plan.has_changes:
            return ""
        to_send = sum(host.bytes_to_send for host in self.plan.hosts.values())
        parts = [about(seconds, text=self.text)] if seconds is not None else []
        parts += [self.text("{size} to send", size=size(to_send, text=self.text))] if to_send else []
        return "; ".join(parts)
