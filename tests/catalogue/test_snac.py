"""snac: what it asks for, and the script that makes its initial user, run as on a host under a bare python3."""

import hashlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from fedikit.catalogue.snac import BASE, Snac, SnacSettings
from fedikit.model import Context, File, Person, SystemService, Task, WebSite, initial_password

PASSWORD = "correct horse battery staple"
THIS_MONTH = time.strftime("%Y-%m")

# Does what `snac adduser` does, without the seconds that its key takes
SNAC = """#!/usr/bin/env python3
import json, pathlib, sys
base, user = sys.argv[2:]
home = pathlib.Path(base, "user", user)
home.mkdir(parents=True)
(home / "user.json").write_text(json.dumps({"uid": user, "name": user, "bio": "", "passwd": "0:0"}))
(home / "key.json").write_text("{}")
print("User password is abc")
"""


def requested(context: Context, kind: str, **settings: Any) -> Any:
    """The one request of a kind."""
    requests = Snac().typed_requests(context)(SnacSettings.model_validate({"enable": True, **settings}))
    (found,) = [request for request in requests.values() if request.kind == kind]
    return found


@pytest.fixture
def service(context: Context) -> SystemService:
    found = requested(context, "service", title="Ours", remotePostDays=30)
    assert isinstance(found, SystemService)
    return found


def test_its_site_is_a_subdomain(context: Context) -> None:
    site = requested(context, "web", subdomain="social")

    assert isinstance(site, WebSite)
    assert site.domain == "social.fediversity.test"
    assert [(route.path, route.port) for route in site.routes] == [("/*", 8001)]


def test_its_server_knows_its_name_and_administrator(service: SystemService) -> None:
    (file,) = service.files
    assert isinstance(file, File)
    assert isinstance(file.content, str)
    server = json.loads(file.content)

    assert (file.path, file.mode, file.owner) == ("/var/lib/snac2/server.json", "0660", "debian-snac")
    assert (server["host"], server["prefix"], server["port"]) == ("snac.fediversity.test", "", 8001)
    assert (server["admin_email"], server["title"]) == ("test@fediversity.test", "Ours")
    assert (server["timeline_purge_days"], server["local_purge_days"]) == (30, 0)


@pytest.mark.parametrize("name", ["authorize_interaction", "nodeinfo_2_0", "oauth", "relay", "share"])
def test_a_name_that_is_one_of_its_addresses_or_follows_relays_is_refused(name: str) -> None:
    person = Person.model_validate({"displayName": "Alice", "username": name, "email": "alice@fedi.test"})

    assert [mistake.path for mistake in Snac.limits.mistakes("snac", person, None)] == ["initialUser.username"]


def test_its_data_is_kept(service: SystemService) -> None:
    assert [(directory.path, directory.data) for directory in service.directories] == [("/var/lib/snac2", True)]


def test_it_is_checked_as_a_user_would_see_it(context: Context) -> None:
    checks = Snac().typed_checks(context)(SnacSettings(enable=True))

    assert [check.kind for check in checks] == ["http-answers", "node-info", "web-finger", "page-shows", "signs-in"]
    assert all(check.application == "snac" for check in checks)


# The initial user


@pytest.fixture
def job(context: Context) -> Task:
    found = requested(context, "task")
    assert isinstance(found, Task)
    return found


class Host:
    """A directory with snac's data in it, and a `snac` in the PATH."""

    def __init__(self, path: Path) -> None:
        self.base = path / "base"
        self.bin = path / "bin"
        self.bin.mkdir()
        self.offer(SNAC)

    def offer(self, snac: str) -> None:
        (self.bin / "snac").write_text(snac)
        (self.bin / "snac").chmod(0o755)

    def run(self, command: tuple[str, ...], password: str = PASSWORD) -> int:
        here = [str(self.base) if word == BASE else word for word in command]
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        done = subprocess.run(here, input=password, env=environment, text=True, capture_output=True, timeout=30)
        assert PASSWORD not in done.stdout + done.stderr
        return done.returncode

    @property
    def account(self) -> dict[str, str]:
        account: dict[str, str] = json.loads((self.base / "user/test/user.json").read_text())
        return account


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_the_password_travels_on_standard_input_only(job: Task) -> None:
    assert job.stdin == initial_password("snac")
    assert job.user == "debian-snac"


def test_the_user_is_made_with_name_and_password(job: Task, host: Host) -> None:
    assert host.run(job.check) == 1
    assert host.run(job.run) == 0
    assert host.run(job.check) == 0

    nonce, _, digest = host.account["passwd"].partition(":")
    assert digest == hashlib.sha1(f"{nonce}:test:{PASSWORD}".encode()).hexdigest()
    assert host.account["name"] == "Testy McTestface"
    assert host.account["bio"] == ""


def test_another_password_does_not_hold_until_it_is_set(job: Task, host: Host) -> None:
    host.run(job.run)

    assert host.run(job.check, "another password") == 1
    assert host.run(job.run, "another password") == 0
    assert host.run(job.check, "another password") == 0


def test_making_the_user_again_keeps_the_account(job: Task, host: Host) -> None:
    host.run(job.run)
    key = host.base / "user/test/key.json"
    key.write_text('{"secret": "of this account"}')

    assert host.run(job.run) == 0
    assert key.read_text() == '{"secret": "of this account"}'


def test_what_snac_leaves_behind_its_keys_is_cut_off(job: Task, host: Host) -> None:
    host.run(job.run)
    pems = {name: f"-----BEGIN {name} KEY-----\nMIIB\n-----END {name} KEY-----\n" for name in ("PRIVATE", "PUBLIC")}
    key = host.base / "user/test/key.json"
    kept = json.dumps({"secret": pems["PRIVATE"] + "RDV\u0001", "public": pems["PUBLIC"] + "@@"})
    key.write_bytes(kept.encode().replace(b"@@", b"\xc4@"))

    assert host.run(job.check) == 1
    assert host.run(job.run) == 0
    assert host.run(job.check) == 0
    assert json.loads(key.read_text()) == {"secret": pems["PRIVATE"], "public": pems["PUBLIC"]}
    assert key.stat().st_mode & 0o007 == 0


def test_a_new_name_is_seen_at_once_and_pages_of_other_months_stay(job: Task, host: Host) -> None:
    host.run(job.run)
    history = host.base / "user/test/history"
    history.mkdir()
    for month in ("2022-10", THIS_MONTH):
        (history / f"{month}.html").write_text("by Testy McTestface")
    renamed = tuple("Another" if word == "Testy McTestface" else word for word in job.run)
    asked = tuple("Another" if word == "Testy McTestface" else word for word in job.check)
    assert host.run(asked) == 1
    assert host.run(renamed) == 0
    assert host.run(asked) == 0
    assert [page.name for page in history.iterdir()] == ["2022-10.html"]


def test_a_page_from_before_a_change_that_was_cut_off_does_not_hold(job: Task, host: Host) -> None:
    host.run(job.run)
    page = host.base / f"user/test/history/{THIS_MONTH}.html"
    page.parent.mkdir()
    page.write_text("by somebody else")
    os.utime(page, (1, 1))
    assert host.run(job.check) == 1
    assert host.run(job.run) == 0
    assert host.run(job.check) == 0


def test_a_half_made_user_is_made_anew(job: Task, host: Host) -> None:
    host.run(job.run)
    (host.base / "user/test/key.json").write_text("")

    assert host.run(job.check) == 1
    assert host.run(job.run) == 0
    assert host.run(job.check) == 0


def test_a_snac_that_fails_fails_the_job(job: Task, host: Host) -> None:
    host.offer("#!/bin/sh\nexit 1\n")

    assert host.run(job.run) != 0
    assert host.run(job.check) == 1


def test_the_users_files_are_closed_to_others(job: Task, host: Host) -> None:
    host.run(job.run)

    assert (host.base / "user/test/user.json").stat().st_mode & 0o007 == 0
