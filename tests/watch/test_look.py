"""What is told of a look, and when: over hosts that are directories and a page on the loopback interface."""

import fcntl
import json
import stat
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fedikit.environment.watch import Watch
from fedikit.errors import FedikitError
from fedikit.model.check import BackupIsYoung, HttpAnswers
from fedikit.model.deployment import Deployment
from fedikit.results.backup import BackupHealth, Proven
from fedikit.results.check import CheckResult
from fedikit.results.disk import Disk
from fedikit.results.health import CertificateHealth, DiskHealth, Drift, Health, UnitHealth
from fedikit.results.pending import NewerPackage, Pending
from fedikit.results.status import HostStatus, Status
from fedikit.results.verdict import Verdict
from fedikit.watch import once
from fedikit.watch.finding import LONGEST, MOST_ON_A_HOST, of_host
from fedikit.watch.look import look_of
from tests.watch.conftest import Watched, Watching

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_the_first_look_tells_nothing_where_all_is_well(watched: Watched) -> None:
    outcome = watched.look()
    assert (outcome.told, outcome.findings, outcome.has_succeeded) == (None, (), True)


def test_the_first_look_tells_what_is_broken(watched: Watched) -> None:
    watched.answers(500)
    assert watched.told() == ["broken app-one does not answer"]


@pytest.mark.parametrize("condition", ["failed", "inactive"])
def test_a_unit_that_does_not_run_is_told(watched: Watched, condition: str) -> None:
    watched.put_unit(condition)
    assert watched.told() == [f"broken app.service is {condition} on one"]


def test_what_was_changed_by_hand_is_told_and_no_reminder_comes(watched: Watched) -> None:
    watched.stage["one"].path("/etc/app").write_text("mine\n")
    assert watched.told() == ["broken file /etc/app on one was changed by hand"]
    assert watched.told(after=3 * DAY) == []


def test_an_apply_that_broke_off_is_told(watched: Watched) -> None:
    (run,) = watched.stage["one"].path("/var/lib/fedikit").rglob("last-run.json")
    run.write_text(json.dumps(json.loads(run.read_text()) | {"state": "failed"}))
    assert watched.told() == ["broken the last apply on one did not come to its end"]


# Hosts and the deployer


def test_a_dead_host_hides_no_other(watching: Watching) -> None:
    watched = watching("one", "two")
    watched.silence("one")
    watched.put_unit("failed", host="two")
    assert watched.told() == ["broken one cannot be asked", "broken app.service is failed on two"]


def test_of_a_host_that_cannot_be_asked_nothing_is_called_well(watching: Watching) -> None:
    watched = watching("one", "two", looks=1)
    watched.put_unit("failed")
    watched.look()
    watched.silence("one")
    assert watched.told() == ["broken one cannot be asked"]
    watched.restore("one")
    assert watched.told() == ["well one cannot be asked"]
    watched.put_unit("active")
    assert watched.told() == ["well app.service is failed on one"]


def test_hosts_that_are_all_silent_are_one_thing(watching: Watching) -> None:
    watched = watching("one", "two", "three")
    for host in watched.stage.machines:
        watched.silence(host)
    watched.answers(500)
    outcome = watched.look()
    assert outcome.told
    assert outcome.told.subject == "fedikit stage: none of the 3 hosts can be asked, and no service answers"
    assert len(outcome.told.changes) == 1
    assert not outcome.has_succeeded


def test_a_deployer_without_a_network_calls_nothing_well(watching: Watching) -> None:
    watched = watching("one", "two", looks=1)
    watched.put_unit("failed")
    watched.look()
    for host in watched.stage.machines:
        watched.silence(host)
    watched.answers(500)
    assert watched.told() == ["broken none of the 2 hosts can be asked, and no service answers"]
    for host in watched.stage.machines:
        watched.restore(host)
    watched.answers(200)
    assert watched.told() == ["well none of the 2 hosts can be asked, and no service answers"]
    watched.put_unit("active")
    assert watched.told() == ["well app.service is failed on one"]


def test_services_that_answer_are_looked_at_while_no_host_can_be_asked(watching: Watching) -> None:
    watched = watching("one", "two")
    for host in watched.stage.machines:
        watched.silence(host)
    outcome = watched.look()
    assert [finding.what for finding in outcome.findings] == ["none of the 2 hosts can be asked"]
    assert not outcome.is_blind


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (FedikitError("configuration.json: 1 mistake", hint="mend it"), "configuration.json: 1 mistake → mend it"),
        (RuntimeError("out of\x1b[2J order"), "RuntimeError: out of\\x1b[2J order"),
    ],
)
def test_a_look_that_cannot_be_made_is_told(watched: Watched, error: Exception, seen: str) -> None:
    watched.broken = error
    outcome = watched.look()
    assert outcome.told
    assert [change.finding.what for change in outcome.told.changes] == ["the deployer could not look"]
    assert outcome.findings[0].seen == seen
    assert not outcome.has_succeeded
    watched.broken, watched.rules = None, {"looks": 1}
    assert watched.told() == ["well the deployer could not look"]


def test_a_host_that_is_being_changed_is_not_broken(watching: Watching) -> None:
    watched = watching("one", "two", looks=1)
    watched.look()
    watched.put_unit("failed")
    watched.put_unit("failed", host="two")
    watched.answers(500)
    with watched.stage["one"].path("/var/lib/fedikit/lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = watched.look()
    assert outcome.busy == ("one",)
    assert {finding.what for finding in outcome.findings} == {"app-two does not answer", "app.service is failed on two"}
    assert watched.told() == ["broken app-one does not answer", "broken app.service is failed on one"]


def test_an_apply_that_begins_while_checks_are_at_it_is_seen(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from fedikit.watch import look

    watched.look()
    watched.answers(500)
    verify, ask = look.verify_deployment, look.read_status
    before = ask(watched.deployment(), health=True)
    with watched.stage["one"].path("/var/lib/fedikit/lock").open("a") as lock:

        def verify_and_begin(*given: Any, **options: Any) -> Verdict:
            verdict = verify(*given, **options)
            fcntl.flock(lock, fcntl.LOCK_EX)
            return verdict

        monkeypatch.setattr(look, "verify_deployment", verify_and_begin)
        monkeypatch.setattr(look, "read_status", lambda wanted, *, health=False: before if health else ask(wanted))
        assert watched.look().busy == ("one",)


def test_who_uses_a_server_that_is_being_changed_is_not_broken(watching: Watching) -> None:
    watched = watching("one", "two")
    deployment = watched.deployment()
    hosts = dict(deployment.hosts)
    hosts["one"] = hosts["one"].model_copy(update={"served_by": ("two",)})
    failed = failing("app-one")
    look = look_of(
        deployment.model_copy(update={"hosts": hosts}),
        Verdict(results=(failed,)),
        Status(deployment="stage", hosts={name: HostStatus(host=name) for name in hosts}),
        busy={"two"},
        rules=Watch(),
        now=NOW,
    )
    assert look.findings == ()


def failing(application: str) -> CheckResult:
    check = HttpAnswers(application=application, url="https://social.example/")
    detail = "wanted HTTP 200, saw HTTP 500"
    return CheckResult(
        name=check.name, application=application, passed=False, seconds=1, detail=detail, attempts=1, check=check
    )


# What hosts say


def told_of(health: Health, **rules: Any) -> list[str]:
    return [finding.what for finding in of_host(HostStatus(host="one", health=health), Watch(**rules), NOW)]


def certificate(life: float, left: float) -> Health:
    expires = NOW + left * DAY
    return Health(certificates=(CertificateHealth(site="a.example", begins=expires - life * DAY, expires=expires),))


@pytest.mark.parametrize(
    ("life", "left", "days", "words"),
    [
        (90, 30, 14, ""),
        (90, 14.1, 14, ""),
        (90, 13.9, 14, "the certificate of a.example ends soon"),
        (90, 25, 30, ""),
        (6, 2, 14, ""),
        (6, 1.4, 14, "the certificate of a.example ends soon"),
        (90, -1, 14, "the certificate of a.example has ended"),
    ],
)
def test_a_certificate_is_told_of_when_it_was_not_renewed(life: float, left: float, days: int, words: str) -> None:
    assert told_of(certificate(life, left), certificate_days=days) == ([words] if words else [])


def test_security_upgrades_of_what_fedikit_brought_are_told_of() -> None:
    versions = {"was": "1", "becomes": "2"}
    ours = (NewerPackage(name="caddy", security=True, **versions), NewerPackage(name="podman", **versions))
    others = (NewerPackage(name="vim", security=True, **versions),)
    health = Health(pending=Pending(ours=ours, others=others, told_by="host"))
    (finding,) = of_host(HostStatus(host="one", health=health), Watch(), NOW)
    assert (finding.what, finding.seen) == ("one lacks security upgrades", "caddy")


def test_backups_that_are_not_well_are_told_of_once() -> None:
    old = BackupHealth(application="app", max_age_hours=26, error="cannot be read")
    host = HostStatus(host="one", health=Health(), backups=(old,))
    check = BackupIsYoung(application="app", host="one", max_age_hours=26)
    failed = CheckResult(
        name=check.name, application="app", passed=False, seconds=1, detail="old", attempts=1, check=check
    )
    deployment = Deployment(name="stage", hosts={})
    for status, expected in (
        (host, ["app has no good backup"]),
        (HostStatus(host="one", health=Health()), ["app has no recent backup"]),
    ):
        status_of_all = Status(deployment="stage", hosts={"one": status})
        verdict = Verdict(results=(failed,))
        look = look_of(deployment, verdict, status_of_all, busy=set(), rules=Watch(), now=NOW)
        assert [finding.what for finding in look.findings] == expected


def test_a_proof_that_lacks_is_told_of_beside_what_else_is_wrong_with_backups() -> None:
    failed = Proven(ended=NOW, failed=True)
    one = BackupHealth(application="app", max_age_hours=26, error="cannot be read", proof=failed)
    host = HostStatus(host="one", health=Health(), backups=(one,))
    found = {finding.key: (finding.what, finding.seen) for finding in of_host(host, Watch(), NOW)}
    assert found["proof:one:app"] == (
        "nobody knows whether app can be restored",
        f"the proof of {NOW:%d %b %Y} failed",
    )
    assert found["backup:one:app"] == ("app has no good backup", "cannot be read")


def test_a_certificate_that_is_none_is_told_of() -> None:
    unread = Health(certificates=(CertificateHealth(site="a.example"),))
    assert told_of(unread) == ["the certificate of a.example cannot be read"]


@pytest.mark.parametrize(
    ("percent", "free", "is_told"),
    [(None, 4_000_000_000, True), (None, 50_000_000_000, False), (80, 20, True), (80, 21, False)],
)
def test_a_disk_is_told_of_from_a_limit_on(percent: int | None, free: int, is_told: bool) -> None:
    size = 100 if free < 100 else 100_000_000_000
    health = Health(disks=(DiskHealth(place="/", size=size, free=free),))
    assert told_of(health, disk_percent=percent) == (["the disk of one is nearly full (/)"] if is_told else [])
    assert Disk(size=size, free=free).used == size - free


def test_a_host_that_makes_things_up_is_told_of_within_bounds() -> None:
    words = "\u202e\x1b[31m" + "x" * 100_000
    drift = tuple(Drift(id=f"file:/{number}{words}", reasons=(words,)) for number in range(1000))
    unit = UnitHealth(name=words, state=words, seconds=0, restarts=0, reasons=(words,))
    findings = of_host(HostStatus(host="one", health=Health(drift=drift, units=(unit,))), Watch(), NOW)
    assert len(findings) == MOST_ON_A_HOST + 1
    assert max(len(text) for finding in findings for text in finding.model_dump().values()) <= LONGEST
    assert all(text.isprintable() for finding in findings for text in finding.model_dump().values())


# What is remembered


def test_what_is_remembered_is_for_its_owner_only(watched: Watched) -> None:
    watched.look()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (watched.file, watched.file.parent)]
    assert modes == [0o600, 0o700]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"form": 2}', '{"form": 1, "known": 7}'])
def test_a_damaged_memory_is_said_and_begun_anew(watched: Watched, content: str) -> None:
    watched.answers(500)
    watched.look()
    watched.file.write_text(content)
    outcome = watched.look()
    assert "what was known is forgotten" in outcome.problems[0]
    assert not outcome.has_succeeded
    assert outcome.told
    assert watched.look().has_succeeded


def test_two_looks_at_once_are_refused(watched: Watched) -> None:
    watched.look()
    with watched.file.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(FedikitError, match="just being looked at"):
            watched.look()


def test_no_secret_is_remembered_or_told(watched: Watched) -> None:
    watched.given_secret("watch/webhook", "a-webhook's-secret")
    watched.rules = {"webhook": {"url": "http://127.0.0.1:1/", "secret": "watch/webhook"}}
    watched.broken = RuntimeError("it said a-webhook's-secret")
    outcome = watched.look()
    assert outcome.findings[0].seen == "RuntimeError: it said •••"
    assert "webhook's-secret" not in watched.file.read_text()


def test_what_cannot_be_remembered_is_told_all_the_same(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise FedikitError("the disk is full")

    watched.rules = {"webhook": {"url": "http://127.0.0.1:1/"}}
    sent: list[str] = []
    monkeypatch.setattr(once, "write_memory", refuse)
    monkeypatch.setattr(once, "ways_of", lambda environment: {"webhook": lambda message: sent.append(message.subject)})
    assert watched.look().problems == ("the disk is full",)
    assert sent == ["fedikit stage: the deployer cannot remember what it sees"]


def test_a_look_changes_nothing_on_a_host(watched: Watched) -> None:
    watched.look()
    before = {path: path.lstat().st_mtime_ns for path in watched.stage["one"].root.rglob("*")}
    watched.look()
    assert {path: path.lstat().st_mtime_ns for path in watched.stage["one"].root.rglob("*")} == before
