"""Findings: single things that are not well, in words that fit on a phone."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from fedikit.environment.watch import Watch
from fedikit.errors import visible
from fedikit.model.value import Value
from fedikit.results.backup import BackupHealth
from fedikit.results.check import CheckResult
from fedikit.results.health import CertificateHealth, DiskHealth, Drift, UnitHealth
from fedikit.results.status import HostStatus

LONGEST = 300
MOST_ON_A_HOST = 30
"""A host may make up as many things as it likes; so many are told of."""
_PART_OF_LIFE = 4
"""A certificate's renewal begins at a third of its life: what still has a quarter was not renewed."""


class Kind(StrEnum):
    """What is not well; what is worst comes first."""

    DEPLOYER = "deployer"
    HOST = "host"
    CHECK = "check"
    UNIT = "unit"
    DISK = "disk"
    CERTIFICATE = "certificate"
    BACKUP = "backup"
    RUN = "run"
    SECURITY = "security"
    DRIFT = "drift"


class Finding(Value):
    """One thing that is not well."""

    key: str
    """The same at each look."""
    kind: Kind
    what: str
    seen: str
    todo: str
    host: str = ""
    application: str = ""

    def clean(self, scrub: Callable[[str], str]) -> "Finding":
        """The same, with every text handed through a function."""
        texts = {name: scrub(getattr(self, name)) for name in ("key", "what", "seen", "todo")}
        return self.model_copy(update=texts)


_WORDS = {
    "http-answers": "does not answer",
    "page-shows": "does not show its page",
    "tls-is-valid": "has no valid certificate",
    "dns-resolves": "is not found by its name",
    "signs-in": "lets its user not sign in",
    "node-info": "does not present itself to other servers",
    "web-finger": "is not found by other servers",
    "shell-command-prints": "does not work in the shell",
    "bucket-works": "cannot keep its media",
    "backup-is-young": "has no recent backup",
}
_RENEW = (
    "see why Caddy does not renew it: journalctl -u caddy; its name must lead to the host, ports 80 and 443 be open"
)


def line(text: str) -> str:
    """A text in one line, of a length that people read, without what would act on a screen."""
    words = " ".join(visible(text).split())
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def of_check(result: CheckResult) -> Finding:
    """A check that failed."""
    words = _WORDS[result.check.kind] if result.check else "fails a check"
    return Finding(
        key=f"check:{result.application}:{result.name}",
        kind=Kind.CHECK,
        what=line(f"{result.application} {words}"),
        seen=line(f"{result.name}: {result.detail}"),
        todo="fedikit verify tells all that fails, fedikit status --health how the hosts are",
        application=result.application,
    )


def of_silent_host(host: HostStatus) -> Finding:
    """A host that could not be asked."""
    return Finding(
        key=f"host:{host.host}",
        kind=Kind.HOST,
        what=f"{host.host} cannot be asked",
        seen=line(host.error),
        todo="see at its provider whether it runs, and whether this deployer may still log in",
        host=host.host,
    )


def of_host(status: HostStatus, rules: Watch, now: datetime) -> tuple[Finding, ...]:
    """What is not well on a host that answered and is not being changed; no more than people can read."""
    found = tuple(_of_host(status, rules, now))
    if len(found) <= MOST_ON_A_HOST:
        return found
    return (*found[:MOST_ON_A_HOST], _further(status.host, len(found) - MOST_ON_A_HOST))


def _of_host(status: HostStatus, rules: Watch, now: datetime) -> Iterator[Finding]:
    name = status.host
    if status.is_unfinished and status.last_run:
        yield _of_run(name, f"{status.last_run.item} {status.last_run.message}")
    if status.health is None:
        return
    yield from (_of_unit(name, unit) for unit in status.health.units if not unit.is_well)
    yield from (_of_disk(name, disk) for disk in status.health.disks if _is_full(disk, rules))
    for certificate in status.health.certificates:
        if _ends_soon(certificate, rules, now):
            yield _of_certificate(name, certificate, now)
    yield from (_of_backups(name, backups) for backups in status.backups if backups.words)
    yield from (_of_proof(name, backups) for backups in status.backups if backups.doubt)
    if urgent := sorted(package.name for package in status.health.pending.ours if package.security):
        yield _of_security(name, urgent)
    yield from (_of_drift(name, drift) for drift in status.health.drift)


def _of_run(host: str, where: str) -> Finding:
    return Finding(
        key=f"run:{host}",
        kind=Kind.RUN,
        what=f"the last apply on {host} did not come to its end",
        seen=line(where) or "it was interrupted",
        todo="apply again: fedikit apply",
        host=host,
    )


def _of_unit(host: str, unit: UnitHealth) -> Finding:
    return Finding(
        key=line(f"unit:{host}:{unit.name}"),
        kind=Kind.UNIT,
        what=line(f"{unit.name} is {unit.state} on {host}"),
        seen=line(f"started again {unit.restarts} times; {', '.join(unit.reasons)}".rstrip("; ")),
        todo=line(f"on {host}: journalctl --unit {unit.name} --lines 50"),
        host=host,
    )


def _is_full(disk: DiskHealth, rules: Watch) -> bool:
    if rules.disk_percent is None:
        return not disk.is_well
    return disk.used * 100 >= disk.size * rules.disk_percent


def _of_disk(host: str, disk: DiskHealth) -> Finding:
    return Finding(
        key=line(f"disk:{host}:{disk.place}"),
        kind=Kind.DISK,
        what=line(f"the disk of {host} is nearly full ({disk.place})"),
        seen=f"{disk.free / 1e9:.1f} of {disk.size / 1e9:.1f} GB are free",
        todo="make room, or give the host a larger disk",
        host=host,
    )


def _ends_soon(certificate: CertificateHealth, rules: Watch, now: datetime) -> bool:
    if not certificate.begins or not certificate.expires:
        return True
    life = certificate.expires - certificate.begins
    return certificate.expires - now <= min(timedelta(days=rules.certificate_days), life / _PART_OF_LIFE)


def _of_certificate(host: str, certificate: CertificateHealth, now: datetime) -> Finding:
    site, expires = certificate.site, certificate.expires
    if expires is None:
        what, seen = f"the certificate of {site} cannot be read", "it is no certificate"
    elif expires <= now:
        what, seen = f"the certificate of {site} has ended", f"on {expires:%d %b %Y, %H:%M} UTC"
    else:
        what, seen = f"the certificate of {site} ends soon", f"on {expires:%d %b %Y, %H:%M} UTC"
    return Finding(
        key=line(f"certificate:{host}:{site}"),
        kind=Kind.CERTIFICATE,
        what=line(what),
        seen=seen,
        todo=f"on {host}, {_RENEW}",
        host=host,
    )


def _of_backups(host: str, backups: BackupHealth) -> Finding:
    return Finding(
        key=line(f"backup:{host}:{backups.application}"),
        kind=Kind.BACKUP,
        what=line(f"{backups.application} has no good backup"),
        seen=line(backups.words),
        todo=line(f"on {host}: journalctl --unit fedikit-backup-{backups.application}; then fedikit backup now"),
        host=host,
    )


def _of_proof(host: str, backups: BackupHealth) -> Finding:
    return Finding(
        key=line(f"proof:{host}:{backups.application}"),
        kind=Kind.BACKUP,
        what=line(f"nobody knows whether {backups.application} can be restored"),
        seen=line(backups.doubt),
        todo=line(f"where the lab is installed: fedikit prove --application {backups.application}"),
        host=host,
    )


def _of_security(host: str, packages: list[str]) -> Finding:
    return Finding(
        key=f"security:{host}",
        kind=Kind.SECURITY,
        what=f"{host} lacks security upgrades",
        seen=line(", ".join(packages)),
        todo="fedikit upgrade",
        host=host,
    )


def _of_drift(host: str, drift: Drift) -> Finding:
    return Finding(
        key=line(f"drift:{host}:{drift.id}"),
        kind=Kind.DRIFT,
        what=line(f"{drift.id.replace(':', ' ', 1)} on {host} was changed by hand"),
        seen=line(", ".join(drift.reasons)),
        todo="fedikit plan shows it, fedikit apply makes it as it was",
        host=host,
    )


def _further(host: str, count: int) -> Finding:
    return Finding(
        key=f"further:{host}",
        kind=Kind.DRIFT,
        what=f"{host} tells more that is not well than is told here",
        seen=f"{count} more",
        todo="fedikit status --health tells all",
        host=host,
    )
