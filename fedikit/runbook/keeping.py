"""What runbooks do with data: they back it up, put it back, prove backups, and carry it to other hosts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import fedikit
from fedikit.model.deployment import Deployment
from fedikit.results.proof import Proofs
from fedikit.runbook.acting import Acting
from fedikit.runbook.proving import find_prover, show_picture
from fedikit.runbook.summary import NothingDone

if TYPE_CHECKING:
    from fedikit.data.migration.sides import Sides


class Keeping(Acting):
    """The steps of backup, restore, prove, migrate and move."""

    def back_up(self, deployment: Deployment) -> "fedikit.BackupReport | NothingDone":
        """Has the hosts back up, once; in a dry run they do not."""
        if self.is_dry_run:
            return self._pass_over("apply")
        with self._acting(deployment):
            names, limit = (getattr(self.parameters, name, ()) for name in ("applications", "limit"))
            report = fedikit.make_backup(deployment, names, limit=limit, tell=self._but_for_step("backup"))
            self._notes.keep("backup.json", report.model_dump_json(indent=1))
            self._require(report.succeeded, report, "not every application was backed up")
        return report

    def require_kept(self, kept: "fedikit.Backups", report: "fedikit.BackupReport | NothingDone") -> None:
        """Makes sure that what was backed up is among what is kept."""
        self.require_answers(kept)
        if isinstance(report, NothingDone):
            return
        there = {backup.id for one in kept.applications for backup in one.backups}
        lost = [one.application for one in report.applications if one.backup and one.backup.id not in there]
        self._require(not lost, kept, f"what was backed up is not in the repository: {', '.join(lost)}")

    def restore(self, plan: "fedikit.RestorePlan") -> "fedikit.RestoreReport | NothingDone":
        """Puts the data back as planned, once; in a dry run it changes nothing and asks a person who is there."""
        if self.is_dry_run:
            return self._offer(plan)
        with self._acting(plan.deployment, plan=plan, total=sum(len(one.parts) for one in plan.applications)):
            report = fedikit.apply_restore(plan, tell=self._but_for_step("restore"))
            self._notes.keep("restored.json", report.model_dump_json(indent=1))
            self._require(report.succeeded, report, "not every application is as it was in its backup")
        return report

    def require_lab(self) -> None:
        """Makes sure that backups can be proven here."""
        find_prover()

    def prove(self, deployment: Deployment) -> "Proofs | NothingDone":
        """Has backups restored elsewhere, once; in a dry run they are not. Pictures are shown, and kept beside it."""
        if self.is_dry_run:
            return self._pass_over("apply")
        environment = self.path_of("environment")
        with self._acting(deployment):
            names, at = (getattr(self.parameters, name) for name in ("applications", "at"))
            files = (self.path_of("configuration"), environment)
            proofs = find_prover()(*files, names, at=at, tell=self.tell)
            self._notes.keep("proofs.json", proofs.model_dump_json(indent=1))
            for proof in proofs.proofs:
                self._notes.keep_picture(proof.picture, show_picture(proof, environment))
            self._require(proofs.succeeded, proofs, "not every backup could be proven")
        return proofs

    def require_proven(self, kept: "fedikit.Backups", proofs: "Proofs | NothingDone") -> None:
        """Makes sure that what was proven is told with the backups themselves."""
        self.require_answers(kept)
        if isinstance(proofs, NothingDone):
            return
        told = {backup.id: backup.proof for one in kept.applications for backup in one.backups}
        proven = ((proof, one.backup.id) for proof in proofs.proofs for one in proof.backups)
        lost = [name for proof, name in proven if (there := told.get(name)) is None or there.ended != proof.ended]
        self._require(not lost, kept, f"the proof does not lie beside its backup: {', '.join(lost)}")

    def migrate(self, plan: "fedikit.MigrationPlan", sides: "Sides") -> "fedikit.MigrationReport | NothingDone":
        """Carries applications over as planned, once; in a dry run it does not, and asks a person who is there."""
        return self._carry(plan, sides, fedikit.apply_migration)

    def move(self, plan: "fedikit.MigrationPlan", sides: "Sides") -> "fedikit.MigrationReport | NothingDone":
        """Brings data along as planned, once; in a dry run it does not, and asks a person who is there.

        Where there is nothing to bring, nothing is done.
        """
        return self._carry(plan, sides, fedikit.apply_move)

    def _carry(
        self, plan: "fedikit.MigrationPlan", sides: "Sides", apply: Callable[..., "fedikit.MigrationReport"]
    ) -> "fedikit.MigrationReport | NothingDone":
        if self.is_dry_run:
            return self._offer(plan)
        with self._acting(plan.source, plan.target, plan=plan):
            minutes = getattr(self.parameters, "names_within", 0.0)
            report = apply(plan, sides, names_seconds=minutes * 60, tell=self.tell)
            self._notes.keep("migrated.json", report.model_dump_json(indent=1))
            self._require(report.succeeded, report, report.error, hint=report.advice)
        return report
