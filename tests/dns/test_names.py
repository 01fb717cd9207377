"""Names as records for others, and where they lead."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from fedikit.display.drawing import lines_of, mimebundle
from fedikit.dns import lookup
from fedikit.dns.lookup import look_up_names
from fedikit.dns.records import json_text, octodns_text, wanted_records, zone_text
from fedikit.environment.environment import Environment
from fedikit.model.check import BucketWorks, Check, DnsResolves, HttpAnswers, NodeInfo, PageShows, domain_of
from fedikit.model.deployment import Deployment
from fedikit.model.host import DirectoryHost
from fedikit.results.check import CheckResult
from fedikit.results.names import NameFound
from fedikit.results.verdict import Verdict
from tests.dns.conftest import wanting

ENVIRONMENT = """
name = "home"
[hosts.one]
type = "directory"
path = "machine"
address = "192.0.2.1"
[policies.web]
means = "caddy"
[placement]
snac = "one"
"""
CONFIGURATION = {
    "domain": "example.invalid",
    "snac": {"enable": True},
    "initialUser": {"displayName": "T", "username": "test", "email": "t@example.org"},
}


@pytest.fixture
def deployment() -> Deployment:
    environment = Environment(name="home", hosts={"one": DirectoryHost(path="machine", address="192.0.2.1")})
    return wanting(
        environment, ("b.example.org", "192.0.2.1"), ("a.example.org", "2001:db8::1"), ("a.example.org", "192.0.2.1"),
        ("a.example.org", "192.0.2.1"), ("media.example.net", "192.0.2.1"),
    )  # fmt: skip


def test_a_zone_file_has_each_record_once_and_can_be_read(deployment: Deployment) -> None:
    import dns.zone

    text = zone_text(wanted_records(deployment), 300)
    zone = dns.zone.from_text(text, origin=".", relativize=False, check_origin=False)
    read = {(str(name), rdata.to_text(), ttl) for name, ttl, rdata in zone.iterate_rdatas()}
    assert read == {
        ("a.example.org.", "192.0.2.1", 300), ("a.example.org.", "2001:db8::1", 300),
        ("b.example.org.", "192.0.2.1", 300), ("media.example.net.", "192.0.2.1", 300),
    }  # fmt: skip
    assert len(text.splitlines()) == 4


def test_octodns_gets_a_document_for_each_zone(deployment: Deployment) -> None:
    first, second = yaml.safe_load_all(octodns_text(wanted_records(deployment), 300, ["example.org"]))
    assert first["a"] == [
        {"ttl": 300, "type": "A", "values": ["192.0.2.1"]}, {"ttl": 300, "type": "AAAA", "values": ["2001:db8::1"]},
    ]  # fmt: skip
    assert (sorted(first), sorted(second)) == (["a", "b"], ["media"])


def test_json_names_each_record(deployment: Deployment) -> None:
    records = json.loads(json_text(wanted_records(deployment), 300))
    assert records[0] == {"name": "a.example.org", "type": "A", "address": "192.0.2.1", "ttl": 300}


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        (("192.0.2.1",), ""),
        ((), "is not known"),
        (("198.51.100.1",), "leads to 198.51.100.1, not to 192.0.2.1"),
        (("192.0.2.1", "2001:db8::66"), "leads to 2001:db8::66"),
    ],
)
def test_a_name_leads_there_if_all_of_its_ways_do(found: tuple[str, ...], seen: str) -> None:
    name = NameFound(name="a.example.org", wanted=("192.0.2.1",), found=found)
    assert (name.leads_there, name.seen) == (not seen, seen)


def test_names_that_lack_are_told_with_their_records(deployment: Deployment) -> None:
    unknown = deployment.model_copy(
        update={"dns": tuple(r.model_copy(update={"name": f"{r.name}.invalid"}) for r in deployment.dns)}
    )
    found = look_up_names(unknown, limit=["one"], ttl=60)
    assert [name.name for name in found.lacking] == [
        "a.example.org.invalid",
        "b.example.org.invalid",
        "media.example.net.invalid",
    ]
    shown = "\n".join(lines_of(found))
    assert "b.example.org.invalid. 60 IN A 192.0.2.1" in shown
    assert "a.example.org.invalid. 60 IN AAAA" not in shown  # no host of the limit has that address
    assert "60 IN A" in mimebundle(found)["text/html"]


def test_a_resolver_that_hangs_holds_nobody_up(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def hang(*_: object, **__: object) -> list[str]:
        ended.wait(10)
        return []

    monkeypatch.setattr(lookup, "PATIENCE", -0.9)
    monkeypatch.setattr(lookup, "addresses_of", hang)
    start = time.monotonic()
    assert {name.problem for name in lookup.look_up_names(deployment).names} == {"no answer in time"}
    assert time.monotonic() - start < 2
    ended.set()


# The command line


def fedikit(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "environment.toml").write_text(ENVIRONMENT)
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION))
    command = [sys.executable, "-m", "fedikit", *words, "-e", "environment.toml"]
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL, env=environment)  # fmt: skip


def test_the_records_are_all_that_is_printed(tmp_path: Path) -> None:
    assert fedikit(tmp_path, "dns").stdout == "snac.example.invalid. 3600 IN A    192.0.2.1\n"


def test_a_check_says_what_to_set_and_ends_with_1(tmp_path: Path) -> None:
    done = fedikit(tmp_path, "dns", "--check")
    assert done.returncode == 1
    assert "snac.example.invalid. 3600 IN A 192.0.2.1" in done.stdout


def test_apply_without_a_server_is_a_mistake(tmp_path: Path) -> None:
    done = fedikit(tmp_path, "dns", "--apply")
    assert done.returncode == 2
    assert "dns: is missing" in done.stderr


def test_an_apply_says_the_names_before_it_asks_and_changes_nothing_unasked(tmp_path: Path) -> None:
    fedikit(tmp_path, "secret", "init")
    done = fedikit(tmp_path, "apply")
    assert done.returncode == 1
    said = done.stderr
    assert said.index("snac.example.invalid. 3600 IN A 192.0.2.1") < said.index("There is nobody to ask")
    assert "1 matter stands in the way" in said
    assert json.loads(fedikit(tmp_path, "plan", "--json").stdout)["hosts"]["one"]["changes"]


def test_the_doctor_prints_json_and_ends_with_1_if_something_stands_in_the_way(tmp_path: Path) -> None:
    done = fedikit(tmp_path, "doctor", "--json")
    assert done.returncode == 1
    found = {(each["host"], each["matter"]): each["state"] for each in json.loads(done.stdout)["findings"]}
    assert found["(deployer)", "master key"] == found["one", "name"] == "obstacle"
    assert found["one", "release"] == "well"


# One cause, one line


def result(check: Check, *, passed: bool = False) -> CheckResult:
    detail = "wanted something, saw nothing"
    return CheckResult(
        name=check.name, application="snac", passed=passed, seconds=1, detail=detail, attempts=1, check=check
    )


CHECKS: tuple[Check, ...] = (
    DnsResolves(application="snac", domain="a.example.org", address="192.0.2.1"),
    HttpAnswers(application="snac", url="https://a.example.org/"),
    NodeInfo(application="snac", domain="a.example.org"),
    PageShows(application="snac", url="https://b.example.org:8443/x", text="x"),
)


def test_checks_that_fail_for_a_name_are_one_line_with_it() -> None:
    lines = list(lines_of(Verdict(results=tuple(map(result, CHECKS)))))
    assert len(lines) == 4
    assert "a.example.org resolves to" in lines[0]
    assert "2 more checks need this name" in lines[1]
    assert "https://b.example.org:8443/x shows" in lines[2]
    assert lines[3] == "4 of 4 checks failed."


def test_where_the_name_leads_there_each_failure_has_its_line() -> None:
    results = (result(CHECKS[0], passed=True), *map(result, CHECKS[1:]))
    assert len(list(lines_of(Verdict(results=results)))) == 5


def test_a_check_knows_the_name_that_it_needs() -> None:
    bucket = {"host": "one", "endpoint": "http://192.0.2.1:3900", "region": "garage", "bucket": "media",
              "key_id": "id", "key_secret": {"name": "a/b"}, "public_host": "media.example.org"}  # fmt: skip
    assert domain_of(BucketWorks.model_validate({"application": "a", **bucket})) == "media.example.org"
    assert [domain_of(check) for check in CHECKS] == ["a.example.org"] * 3 + ["b.example.org"]
