"""The panel, as an operator uses it: on a deployer without a way out, over HTTPS, in another machine's browser.

fedikit is installed there from its wheel. These tests follow each other, as one visit: one operator chooses, deploys,
uses, changes and removes services on real machines; another one sees nothing of it.
"""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment import load_environment
from fedikit.environment.load import as_configuration
from fedikit.errors import DeadlineExceeded
from fedikit_lab import Lab
from fedikit_lab.environment import LabHost, environment_text
from tests.checks.deployer import FEDIKIT, HOME, NAME, PYTHON, USER, Deployer, deployer_role, wheel_of
from tests.checks.journeys import Browser, Panel, Pixelfed
from tests.checks.picture import changes, picture_of
from tests.checks.pictures import picture
from tests.pages import PROJECT, Page

DOMAIN = "fediversity.test"
NAME_OF_PANEL = f"panel.{DOMAIN}"
SITE = f"https://{NAME_OF_PANEL}"
EMAIL = f"test@{DOMAIN}"
TARGETS = ("garage", "pixelfed", "social")
CHOSEN: dict[str, Any] = {
    "domain": DOMAIN,
    "initialUser": {"displayName": "Testy McTestface", "username": "test", "email": EMAIL},
    "pixelfed": {"enable": True},
    "snac": {"enable": True},
}
"""What alice will choose: it tells what the deployer must have in its store, and which names there are."""
PASSWORDS = {"alice": "seven quiet herons", "bob": "eleven brass kettles"}
OPTIONS = f"--acme-directory https://acme.lab:14000/dir --acme-root {HOME}/acme-ca.pem"
UNIT = "fedikit-panel.service"
CERTIFICATE_SECONDS = 60
WATCH_SECONDS = 15
LONGEST = 240
"""No run of these takes so many seconds."""
PAGES = ("services", "choose", "look", "progress", "checks", "history", "leave")
RUNNER = f"pgrep --uid {USER} --full fedikit.panel.runner"
STARTED = "systemctl show --property ActiveEnterTimestampMonotonic caddy.service"
CONTAINER_REMAINS = "find /var/lib/containers -mindepth 1"

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Provider:
    """A hosting provider: the deployer, the targets as they were, and two operators in `panel.toml`."""

    lab: Lab
    before: dict[str, list[str]]

    @classmethod
    def of(cls, lab: Lab, folder: Path) -> "Provider":
        names = load_environment(lab.environment_file).deployment(as_configuration(CHOSEN, "what alice will choose"))
        lab.announce(names)
        lab.set_dns({DOMAIN: lab["garage"].address, NAME_OF_PANEL: lab[NAME].address})
        deployer = Deployer(lab[NAME], folder / "luggage")
        deployer.pack(f"/root/{(wheel := wheel_of(folder)).name}", wheel.read_bytes())
        deployer.pack(f"/etc/systemd/system/{UNIT}", unit_of_the_docs())
        deployer.pack_store(names)
        for name in ("acme-ca.pem", "pebble-root.pem", "id_ed25519", "master.key"):
            deployer.pack(f"{HOME}/{name}", (lab.directory / name).read_bytes())
        deployer.pack(f"{HOME}/alice.toml", _environment(lab, TARGETS))
        deployer.pack(f"{HOME}/bob.toml", _environment(lab, ("social",)).replace('"lab"', '"bobs"'))
        deployer.unpack()
        deployer.install()
        hire(lab)
        return cls(lab, {name: picture_of(lab, name) for name in TARGETS})


def unit_of_the_docs() -> str:
    """The unit that docs/panel.md gives, for this lab's name and authority."""
    (block,) = [block for block in Page(PROJECT / "docs/panel.md").blocks if UNIT in block.text]
    unit = block.text.replace("--domain panel.example.org", f"--domain {NAME_OF_PANEL} {OPTIONS}")
    assert OPTIONS in unit
    return unit


def _environment(lab: Lab, names: tuple[str, ...]) -> str:
    hosts = [LabHost(name, lab[name].address, lab[name].host_key) for name in names]
    return environment_text(hosts, lab.acme.address)


def hire(lab: Lab) -> None:
    """Takes the operators on, and starts the panel."""
    deployer = lab[NAME]
    tables = []
    for name, password in PASSWORDS.items():
        hashed = deployer.run(f"{FEDIKIT} panel password --name {name}", stdin=f"{password}\n").stdout.strip()
        fields = {"password": hashed, "configuration": f"{name}.json", "environment": f"{name}.toml"}
        tables += [f"[operators.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in fields.items())]
        tables += ["may_purge = true"]
    content = "\n".join([*tables, ""])
    assert (
        deployer.run(f"install --owner={USER} --mode=600 /dev/stdin {HOME}/panel.toml", stdin=content).exit_status == 0
    )
    deployer.succeed(f"systemctl daemon-reload && systemctl start {UNIT}")
    wait_for_certificate(deployer.address, lab.acme_root())


def wait_for_certificate(address: str, root: str) -> None:
    """Returns when the panel shows a certificate of the lab's authority."""
    trust, deadline = ssl.create_default_context(cadata=root), time.monotonic() + CERTIFICATE_SECONDS
    while True:
        try:
            with socket.create_connection((address, 443), timeout=5) as connection:
                trust.wrap_socket(connection, server_hostname=NAME_OF_PANEL).close()
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise DeadlineExceeded("the panel's certificate", CERTIFICATE_SECONDS, last=str(error)) from error
            time.sleep(0.1)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder = tmp_path_factory.mktemp("panel")
    machines, roles = (*TARGETS, NAME), {NAME: deployer_role()}
    with Lab(folder / ".lab", machines=machines, client=True, roles=roles) as lab:
        yield Provider.of(lab, folder)


@pytest.fixture(scope="module")
def browser(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with provider.lab.client.session(trust=provider.lab.acme_root()) as driver:
        yield Browser(driver, tmp_path_factory.mktemp("pictures"), seconds=60)


@pytest.fixture
def alice(browser: Browser) -> Panel:
    return Panel(browser, SITE)


@pytest.fixture
def picture_file(tmp_path: Path) -> Path:
    file = tmp_path / "picture.png"
    file.write_bytes(picture())
    return file


def test_the_deployer_has_no_way_out_and_fedikit_from_its_wheel(provider: Provider) -> None:
    deployer = provider.lab[NAME]
    deployer.fails("ip route get 192.0.2.1")
    where = "import fedikit; print(fedikit.__file__)"
    assert deployer.succeed(f"{PYTHON} -c '{where}'").startswith(f"{HOME}/.venv/lib/")


def test_a_timer_looks_after_the_hosts_with_no_more_rights_than_that_takes(provider: Provider) -> None:
    deployer, lab = provider.lab[NAME], provider.lab
    watched = f'{_environment(lab, TARGETS)}\n[watch]\nwebhook = {{ url = "http://127.0.0.1:9/" }}\n'
    for name, content in {"watched.toml": watched, "watched.json": json.dumps(CHOSEN | {"enable": False})}.items():
        assert (
            deployer.run(f"install --owner={USER} --mode=600 /dev/stdin {HOME}/{name}", stdin=content).exit_status == 0
        )
    often = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nAccuracySec=100ms\nRandomizedDelaySec=0\n"
    place = "/etc/systemd/system/fedikit-watch-lab.timer.d/often.conf"
    assert deployer.run(f"install -D --mode=644 /dev/stdin {place}", stdin=often).exit_status == 0

    deployer.succeed(f"{FEDIKIT} watch install {HOME}/watched.json --environment {HOME}/watched.toml")
    status = f"{FEDIKIT} watch status --environment {HOME}/watched.toml"
    deadline = time.monotonic() + WATCH_SECONDS
    while deployer.run(status).exit_status and time.monotonic() < deadline:
        time.sleep(0.2)

    said = deployer.succeed(status)
    assert "Last look: " in said
    assert "✗" not in said
    assert "no timer runs" not in said
    assert deployer.succeed(f"stat --format=%U:%a {HOME}/.fedikit-watch/lab.json").strip() == f"{USER}:600"
    deployer.succeed(f"{FEDIKIT} watch remove --environment {HOME}/watched.toml && rm -r {place.rpartition('/')[0]}")
    deployer.fails(f"test -e {HOME}/.fedikit-watch || systemctl cat fedikit-watch-lab.timer")


def test_who_has_the_wrong_password_stays_outside(alice: Panel) -> None:
    alice.browser.open(SITE)
    alice.keep("01-sign-in")
    assert alice.is_refused("alice", "the wrong password")
    alice.keep("02-refused")


def test_an_operator_signs_in_and_sees_that_nothing_is_there(alice: Panel) -> None:
    alice.sign_in("alice", PASSWORDS["alice"])
    assert "Nothing is chosen yet" in alice.read("services")
    alice.keep("03-nothing-yet")


def test_a_mistake_is_told_below_its_field_and_stops_the_way_on(alice: Panel) -> None:
    alice.go("choose")
    alice.keep("04-choose")
    alice.enter("domain", DOMAIN)
    alice.enter("initialUser.displayName", "Testy McTestface")
    alice.enter("initialUser.username", "test")
    alice.enter("initialUser.email", "test at example")
    alice.tick("pixelfed.enable")
    alice.tick("snac.enable")

    assert "e-mail" in alice.mistake("initialUser.email")
    alice.browser.see(".fk-look:disabled", "that nothing can be looked at")
    alice.keep("05-mistake")

    alice.enter("initialUser.email", EMAIL)
    alice.browser.see(".fk-look:enabled", "that one may go on")
    assert not alice.browser.sees(".fk-mistake")
    alice.keep("06-chosen")


def test_what_would_change_is_told_in_words_before_anything_does(provider: Provider, alice: Panel) -> None:
    told = alice.look()

    alice.keep("07-look")
    assert "Pixelfed will be installed on pixelfed" in told
    assert "snac will be installed on social" in told
    assert {name: changes(provider.before[name], picture_of(provider.lab, name)) for name in TARGETS} == {
        name: [] for name in TARGETS
    }


def test_who_closes_the_tab_comes_back_to_the_run_which_went_on(provider: Provider, alice: Panel) -> None:
    alice.do()
    alice.browser.wait(lambda: "Making the changes" in alice.state(), "the changes to begin")
    alice.keep("08-progress")

    alice.close_tab()
    provider.lab[NAME].succeed(RUNNER)
    alice.browser.open(SITE)

    assert "alice began this" in alice.state()
    provider.lab[NAME].succeed(RUNNER)
    assert "done in" in alice.end(seconds=LONGEST)
    alice.keep("09-done")


def test_all_is_well_and_the_services_are_where_they_are_said_to_be(alice: Panel) -> None:
    told = alice.go("services")

    alice.keep("10-services")
    assert told.count("Well when last looked at") == 2
    assert f"Open https://pixelfed.{DOMAIN}" in told
    with alice.follow(".fk-open-snac", "snac") as browser:
        browser.wait(lambda: browser.driver.current_url.startswith(f"https://snac.{DOMAIN}"), "snac to open")


def test_the_first_user_signs_in_and_publishes_a_picture(alice: Panel, picture_file: Path) -> None:
    alice.go("checks")
    alice.keep("11-checks")
    password = alice.password("pixelfed")
    media = f"https://media.pixelfed.{DOMAIN}/"
    alice.go("services")
    with alice.follow(".fk-open-pixelfed", "Pixelfed") as browser:
        browser.wait(lambda: browser.driver.current_url.startswith(f"https://pixelfed.{DOMAIN}"), "Pixelfed to open")
        pixelfed = Pixelfed(browser, f"https://pixelfed.{DOMAIN}")
        pixelfed.sign_in(EMAIL, password)
        assert pixelfed.publish_picture(picture_file, "A day at the sea", media=media).startswith(media)
        browser.screenshot("12-pixelfed")


def test_another_operator_sees_nothing_of_it(provider: Provider, alice: Panel) -> None:
    alice.go("history")
    record = alice.record()
    trust = provider.lab.acme_root()
    with provider.lab.client.session(trust=trust) as driver:
        bob = Panel(Browser(driver, alice.browser.pictures, seconds=60), SITE)
        bob.sign_in("bob", PASSWORDS["bob"])
        told = {page: bob.go(page) for page in PAGES}
        bob.keep("13-bob")
        assert "Nothing is chosen yet" in told["services"]
        assert "Nothing was done yet" in told["history"]
        assert "Nothing was done yet" in told["progress"]
        assert not [page for page, words in told.items() if "alice" in words or DOMAIN in words]
        bob.browser.open(record)
        assert "There is no such page" in bob.browser.read("main", "a page")
        bob.keep("14-bob-asks-for-a-record")


def test_a_changed_setting_changes_only_that(provider: Provider, alice: Panel) -> None:
    social = provider.lab["social"]
    since = social.succeed(STARTED)
    alice.go("choose")
    alice.browser.press(".fk-application-snac .fk-fold-button", "the button that shows the settings of snac")
    alice.enter("snac.title", "Our own place")
    told = alice.look()

    alice.keep("15-changed")
    assert "snac on social" in told
    assert "pixelfed" not in told.lower()
    alice.do()
    assert "done in" in alice.end(seconds=LONGEST)
    assert "Our own place" in social.succeed("cat /var/lib/snac2/server.json")
    assert social.succeed(STARTED) == since


def test_a_disabled_application_goes_and_its_data_stays(provider: Provider, alice: Panel) -> None:
    social = provider.lab["social"]
    alice.go("leave")
    alice.keep("16-undo")
    alice.browser.press(".fk-disable-snac", "the button that takes snac away")
    told = alice.plan()

    alice.keep("17-disable")
    assert "snac will be removed from social; its data stays there" in told
    alice.do()
    assert "done in" in alice.end(seconds=LONGEST)
    social.fails("systemctl is-active snac2.service caddy.service")
    social.succeed("test -d /var/lib/snac2/user/test")
    provider.lab["pixelfed"].succeed("systemctl is-active pixelfed-web.service")


def test_the_history_has_it_all_with_the_record_of_each_run(alice: Panel) -> None:
    told = alice.go("history")

    alice.keep("18-history")
    assert told.count("alice changed the services on") == 3
    assert told.count("alice looked at what would change on") == 3
    with alice.follow(".fk-record", "the record") as browser:
        assert "/alice.json" in browser.read("body", "the record")
        browser.screenshot("19-record")


def test_removal_leaves_every_machine_as_it_was(provider: Provider, alice: Panel) -> None:
    alice.go("leave")
    alice.browser.press(".fk-remove-all", "the button that takes all away")
    alice.plan()
    alice.keep("20-remove")
    alice.browser.press(".fk-purge", "the button that asks for the data, too")
    alice.browser.see(".fk-typed input", "where the domain is to be typed")
    alice.keep("21-purge")
    alice.browser.see(".fk-do:disabled", "that nothing is destroyed before that")
    alice.browser.fill(".fk-typed input", DOMAIN, "where the domain is to be typed")
    alice.do()
    assert "done in" in alice.end(seconds=LONGEST)

    alice.keep("22-removed")
    told = alice.go("services")
    alice.keep("23-services-afterwards")
    assert "Everything was taken away" in told
    assert "Well" not in told
    lab = provider.lab
    assert {name: changes(provider.before[name], picture_of(lab, name)) for name in TARGETS} == {
        name: [] for name in TARGETS
    }
    assert {name: lab[name].run(CONTAINER_REMAINS).stdout for name in TARGETS} == dict.fromkeys(TARGETS, "")
