"""Checks run side by side, until they hold or their deadlines end, and a verdict is given."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import TypeAdapter, ValidationError

from fedikit.display.drawing import lines_of
from fedikit.errors import ConnectionFailed
from fedikit.events import CheckFinished, Event
from fedikit.model.check import Check, DnsResolves, HttpAnswers, ShellCommandPrints, SignsIn, WebFinger
from fedikit.model.item import SecretRef
from fedikit.secrets import Vault
from fedikit.verify import CheckResult, Verdict

from .conftest import DOMAIN, Site, Verifier


def command(expected: str = "yes", host: str = "one", **more: Any) -> ShellCommandPrints:
    about = {"application": "hello", "host": host, "command": ("run",), "expected": expected, **more}
    return ShellCommandPrints.model_validate(about)


def test_a_service_that_takes_time_to_start_is_waited_for(verifier: Verifier, site: Site) -> None:
    site.pages["/"] = lambda seen: (200 if len(site.seen) > 2 else 502, {}, b"")
    result = verifier.one(HttpAnswers(application="snac", url=site.url(), deadline=5))
    assert result.passed
    assert result.attempts == 3
    assert 0.4 < result.seconds < 5


def test_a_check_that_never_holds_ends_at_its_deadline(verifier: Verifier, free_port: int) -> None:
    began = time.monotonic()
    result = verifier.one(HttpAnswers(application="snac", url=f"https://{DOMAIN}:{free_port}/", deadline=2))
    assert not result.passed
    assert result.attempts >= 2
    assert 1 < time.monotonic() - began < 6


def test_a_site_that_never_answers_cannot_outlast_the_deadline(verifier: Verifier, site: Site) -> None:
    leave = threading.Event()
    site.pages["/"] = lambda seen: (200, {}, str(leave.wait(5)).encode())
    began = time.monotonic()
    result = verifier.one(HttpAnswers(application="snac", url=site.url(), deadline=0.4))
    assert time.monotonic() - began < 4
    leave.set()
    assert result.detail.endswith(f"saw no answer from 127.0.0.1:{site.server_port} in time")


def test_a_command_that_hangs_cannot_outlast_the_deadline_by_much(verifier: Verifier) -> None:
    leave = threading.Event()
    verifier.shell = lambda host, command, user: str(leave.wait(20))
    began = time.monotonic()
    result = verifier.one(command(deadline=0.3))
    assert time.monotonic() - began < 10
    leave.set()
    assert result.detail == "wanted an end within 0.3 s, saw none"


def test_checks_run_side_by_side_but_only_so_many_at_once(verifier: Verifier) -> None:
    running, most = set(), 0

    def shell(host: str, command: tuple[str, ...], user: str | None) -> str:
        nonlocal most
        running.add(host)
        most = max(most, len(running))
        time.sleep(0.5)
        running.discard(host)
        return "yes"

    verifier.shell = shell
    checks = [command(host=f"host{n}", deadline=5) for n in range(6)]
    began = time.monotonic()
    assert verifier(*checks, workers=3).passed
    assert 1 <= time.monotonic() - began < 2.5
    assert most == 3


def test_a_check_whose_turn_never_came_says_so(verifier: Verifier) -> None:
    leave = threading.Event()
    verifier.shell = lambda host, command, user: str(leave.wait(20))
    verdict = verifier(command(deadline=0.1), command(deadline=0.1), workers=1)
    leave.set()
    waited = next(result for result in verdict.results if result.attempts == 0)
    assert waited.detail == "wanted an attempt, saw that all workers were busy"


def test_results_keep_the_order_of_the_checks_and_events_come_as_they_end(verifier: Verifier) -> None:
    def shell(host: str, command: tuple[str, ...], user: str | None) -> str:
        time.sleep(0.2 if host == "slow" else 0)
        return "yes"

    verifier.shell = shell
    events: list[Event] = []
    verdict = verifier(command(host="slow", deadline=2), command(host="fast", deadline=2), tell=events.append)
    assert [result.name for result in verdict.results] == ["`run` works on slow", "`run` works on fast"]
    told = [event.check for event in events if isinstance(event, CheckFinished) and event.passed]
    assert told == ["`run` works on fast", "`run` works on slow"]


def test_an_error_of_a_host_is_a_failure_in_its_words(verifier: Verifier) -> None:
    def shell(host: str, command: tuple[str, ...], user: str | None) -> str:
        raise ConnectionFailed(host, "nobody answers")

    verifier.shell = shell
    assert verifier.seen(command(deadline=0.3)) == "one: nobody answers"


def test_a_missing_secret_fails_at_once(verifier: Verifier) -> None:
    verifier.vault = Vault(None, {})
    check = SignsIn(
        application="snac", url=f"https://{DOMAIN}/", username="test", secret=SecretRef(name="password"), deadline=30
    )
    result = verifier.one(check)
    assert result.seconds < 10
    assert "needs a master key" in result.detail


def test_a_closed_application_is_asked_once_and_its_other_failures_follow(verifier: Verifier, site: Site) -> None:
    site.page("/", "it is being moved", 503, **{"Fedikit-Closed": "yes"})
    began = time.monotonic()
    verdict = verifier(
        HttpAnswers(application="snac", url=site.url(), deadline=20),
        HttpAnswers(application="snac", url=site.url("/"), status=503, deadline=20),
        command("no", application="other", deadline=0.1),
    )
    assert time.monotonic() - began < 5
    first, second, other = verdict.results
    assert [result.attempts for result in (first, second)] == [1, 1]
    assert first.detail.endswith("saw that it is closed, by a migration")
    assert (verdict.followers_of(first), verdict.followers_of(second), verdict.followers_of(other)) == (
        (second,),
        (),
        (),
    )
    drawn = "\n".join(lines_of(verdict, 200))
    assert drawn.count("that it is closed") == 1
    assert "1 more check of snac failed for it" in drawn
    assert "3 of 3 checks failed" in drawn


def test_trust_that_is_none_fails_the_check_and_nothing_more(verifier: Verifier, site: Site, tmp_path: Path) -> None:
    verifier.trust = tmp_path / "missing.pem"
    check = HttpAnswers(application="snac", url=site.url(), deadline=0.3)
    assert "No such file" in verifier.seen(check)


def test_nothing_to_check_is_passed(verifier: Verifier) -> None:
    verdict = verifier()
    assert verdict.passed
    assert verdict.results == ()


def result(**fields: Any) -> CheckResult:
    usual = {"name": "check", "application": "snac", "passed": True, "seconds": 0.25, "detail": "", "attempts": 1}
    return CheckResult(**{**usual, **fields})


def test_one_failure_fails_the_verdict() -> None:
    assert Verdict(results=(result(), result())).passed
    assert not Verdict(results=(result(), result(passed=False))).passed


def test_junit_tells_suites_cases_and_failures() -> None:
    verdict = Verdict(
        results=(
            result(name="opens", application="snac", detail="HTTP 200"),
            result(name="greets", application="hello"),
            result(
                name="<shows> “x” & \x00y", passed=False, detail='wanted "<b>", saw\x1b[0m &', seconds=2, attempts=3
            ),
        )
    )
    root = ElementTree.fromstring(verdict.junit().encode())
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("time")) == ("3", "1", "2.000")
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [("hello", "1"), ("snac", "2")]
    opens, shows = root[1]
    assert opens.find("failure") is None
    assert (opens.get("classname"), opens.get("name"), opens.get("time")) == ("snac", "opens", "0.250")
    assert shows.get("name") == "<shows> “x” & �y"
    failure = shows.find("failure")
    assert failure is not None
    assert failure.get("message") == 'wanted "<b>", saw�[0m &'
    assert "after 3 attempts in 2.0 s" in (failure.text or "")


def test_checks_are_values_told_apart_by_their_kind() -> None:
    adapter: TypeAdapter[Check] = TypeAdapter(Check)
    check = WebFinger(application="snac", domain=DOMAIN, account="test")
    assert adapter.validate_python(check.model_dump()) == check
    assert adapter.validate_json(adapter.dump_json(check)) == check
    assert check.deadline == 20
    with pytest.raises(ValidationError):
        DnsResolves(application="snac", domain=DOMAIN, address="not an address")


def test_the_room_opens_without_its_slow_libraries() -> None:
    code = "import json, sys, fedikit.verify; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30, env=environment)
    assert not {"httpx", "dns", "cryptography"} & set(json.loads(answer.stdout))
