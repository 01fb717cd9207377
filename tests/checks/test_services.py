"""The services, as their users see them: seven machines, targets without a way out, a browser as the judge.

These tests follow each other: they deploy, use, change and remove the same machines.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment import load_configuration, load_environment
from fedikit.model import Deployment
from fedikit_lab import Lab
from tests.checks.films import Films
from tests.checks.journeys import Browser, Mastodon, PeerTube, Pixelfed
from tests.checks.picture import changes, picture_of
from tests.checks.pictures import picture, video

DOMAIN = "fediversity.test"
EMAIL = f"test@{DOMAIN}"
TARGETS = ("garage", "mastodon", "peertube", "pixelfed")
UNITS = {
    "garage": ("garage", "caddy"),
    "mastodon": ("mastodon-web", "mastodon-streaming", "mastodon-sidekiq", "redis-server@mastodon", "caddy"),
    "peertube": ("peertube", "redis-server@peertube", "caddy"),
    "pixelfed": ("pixelfed-web", "pixelfed-worker", "pixelfed-scheduler", "mariadb", "redis-server@pixelfed", "caddy"),
}
CONFIGURATION: dict[str, Any] = {
    "domain": DOMAIN,
    "initialUser": {"displayName": "Testy McTestface", "username": "test", "email": EMAIL},
    "mastodon": {"enable": True},
    "peertube": {"enable": True},
    "pixelfed": {"enable": True},
}
PARTS = {
    "mastodon": {"postgresql", "bucket"},
    "peertube": {"postgresql", "bucket", "volume"},
    "pixelfed": {"mariadb", "bucket", "volume"},
}
"""By application, the kinds of what a backup of it has."""
REPOSITORY = "/srv/backups"
POLICY = f"""
[policies.backup]
repository = "{REPOSITORY}"
"""
CONTAINER_REMAINS = "find /var/lib/containers -mindepth 1"

pytestmark = pytest.mark.lab


class Services:
    """The command line, with the configuration of all three applications."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.configuration = lab.directory / "configuration.json"
        self._chosen = dict(CONFIGURATION)
        lab.environment_file.write_text(lab.environment_file.read_text() + POLICY)
        self.wants()
        lab.announce(self.deployment)
        lab.set_dns({DOMAIN: lab["garage"].address})  # addresses of people need a domain that receives mail
        self.before = {name: picture_of(lab, name) for name in TARGETS}
        for name in TARGETS[1:]:
            lab[name].succeed(f"mkdir {REPOSITORY}")

    @property
    def deployment(self) -> Deployment:
        return load_environment(self.lab.environment_file).deployment(load_configuration(self.configuration))

    def wants(self, **settings: dict[str, Any]) -> None:
        """Changes settings of applications; what was wanted before still is."""
        self._chosen |= {name: self._chosen[name] | more for name, more in settings.items()}
        self.configuration.write_text(json.dumps(self._chosen))

    def rotate(self, secret: str) -> None:
        """Has the environment name the second version of a secret."""
        file = self.lab.environment_file
        file.write_text(f'{file.read_text()}\n[secrets.versions]\n"{secret}" = 2\n')

    def succeed(self, verb: str, *arguments: str) -> str:
        done = self.run(verb, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        files = [] if verb == "remove" else [str(self.configuration)]
        where = ["-e", str(self.lab.environment_file)]
        command = [sys.executable, "-m", "fedikit", *verb.split(), *arguments, *files, *where]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)

    def unmet(self) -> dict[str, str]:
        """The checks that do not hold, and what they say."""
        results = json.loads(self.run("verify", "--json").stdout)["results"]
        return {result["name"]: result["detail"] for result in results if not result["passed"]}

    def planned(self) -> dict[str, dict[str, str]]:
        """What would change, by host and item."""
        hosts = json.loads(self.succeed("plan", "--json"))["hosts"]
        planned = {name: {c["id"]: c["action"] for c in host["changes"]} for name, host in hosts.items()}
        return {name: changes for name, changes in planned.items() if changes}

    def password(self, application: str) -> str:
        return self.succeed("secret show", f"{application}/initial-user").strip()

    def starts(self) -> dict[str, str]:
        """When each of our units last came up."""
        show = "systemctl show --property ActiveEnterTimestampMonotonic --value"
        places = [(host, unit) for host, units in UNITS.items() for unit in units]
        return {f"{host} {unit}": self.lab[host].succeed(f"{show} {unit}.service").strip() for host, unit in places}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Lab(tmp_path_factory.mktemp("services"), machines=TARGETS, client=True) as lab:
        yield Services(lab)


@pytest.fixture
def browser(services: Services, tmp_path: Path) -> Iterator[Browser]:
    with services.lab.client.session(trust=services.lab.acme_root()) as driver:
        yield Browser(driver, tmp_path / "pictures")


@pytest.fixture
def picture_file(tmp_path: Path) -> Path:
    file = tmp_path / "picture.png"
    file.write_bytes(picture())
    return file


def test_all_is_deployed_and_everything_runs(services: Services) -> None:
    services.succeed("apply", "--yes")

    for host, units in UNITS.items():
        services.lab[host].succeed("systemctl is-active " + " ".join(f"{unit}.service" for unit in units))


def test_every_check_holds(services: Services) -> None:
    """Names, certificates of the lab's authority, health, nodeinfo, accounts."""
    results = json.loads(services.succeed("verify", "--json"))["results"]

    assert len(results) >= 23
    assert {comes_back(name) for name in TARGETS[1:]} <= {result["name"] for result in results}
    assert [result["name"] for result in results if not result["passed"]] == []


def comes_back(name: str) -> str:
    """The check of an application's bucket."""
    return f"what {name} puts into bucket {name} comes back and shows at https://media.{name}.{DOMAIN}"


def test_a_picture_on_mastodon(services: Services, browser: Browser, picture_file: Path) -> None:
    mastodon = Mastodon(browser, f"https://mastodon.{DOMAIN}")
    media = f"https://media.mastodon.{DOMAIN}/"

    assert mastodon.is_refused(EMAIL, "not the password")
    mastodon.sign_in(EMAIL, services.password("mastodon"))

    assert mastodon.publish_picture(picture_file, "A day at the sea", media=media).startswith(media)


def test_a_film_on_peertube(services: Services, browser: Browser, tmp_path: Path) -> None:
    peertube = PeerTube(browser, f"https://peertube.{DOMAIN}")
    media = f"https://media.peertube.{DOMAIN}/"
    film = tmp_path / "film.mp4"
    film.write_bytes(video())

    assert peertube.is_refused("test", "not the password")
    peertube.sign_in("test", services.password("peertube"))

    assert peertube.publish_video(film, "A day at the sea", media=media).startswith(media)


def test_files_of_a_private_film_are_not_to_be_had_at_the_media_host(services: Services) -> None:
    films = Films(services.lab, DOMAIN, services.password("peertube"))
    number = films.newest()
    keys = films.keys(number)
    film = keys[-1]
    assert films.at_media_host(film, Range="bytes=4-7") == (206, b"ftyp")

    films.change(number, privacy=3)
    films.wait_until_answered(401, film)

    assert [films.at_media_host(key)[0] for key in keys] == [401, 401, 401]
    for disguise in (
        film.replace("-", "%2D"),
        f"/{film}",
        f"./{film}",
        f"captions/../{film}",
        f"captions/%2e%2e/{film}",
    ):
        status, content = films.at_media_host(disguise)
        assert (status >= 400, b"ftyp" in content) == (True, False), disguise
    assert films.at_media_host(film, Authorization=f"Bearer {films.token}")[0] == 401
    assert films.at_media_host(film, X_PeerTube_Video_Password="anything")[0] == 401
    assert films.at_media_host(f"{film}?videoFileToken=anything")[0] == 401
    assert b"ftyp" in films.for_its_owner(number)

    films.change(number, privacy=1)
    films.wait_until_answered(200, film)


def test_peertube_ends_at_once_and_tells_no_password(services: Services) -> None:
    peertube = services.lab["peertube"]

    begun = time.monotonic()
    peertube.succeed("systemctl stop peertube.service")
    assert time.monotonic() - begun < 15
    peertube.succeed("systemctl start peertube.service")

    told = peertube.succeed("journalctl --unit peertube.service; cat /srv/peertube-data/logs/* || true")
    assert "Listening on" in told
    assert "password" not in told.lower()


def test_a_picture_on_pixelfed(services: Services, browser: Browser, picture_file: Path) -> None:
    pixelfed = Pixelfed(browser, f"https://pixelfed.{DOMAIN}")
    media = f"https://media.pixelfed.{DOMAIN}/"

    assert pixelfed.is_refused(EMAIL, "not the password")
    pixelfed.sign_in(EMAIL, services.password("pixelfed"))

    assert pixelfed.publish_picture(picture_file, "A day at the sea", media=media).startswith(media)


@pytest.mark.parametrize(("name", "kinds"), PARTS.items())
def test_a_backup_is_proven(services: Services, name: str, kinds: set[str]) -> None:
    """Restored elsewhere, rows, objects and files are as they were, the checks hold, and the newest post shows."""
    services.succeed("backup now", "--application", name)

    (proof,) = json.loads(services.succeed("prove", "--application", name, "--json"))

    assert proof["findings"] == []
    assert {part["kind"] for part in proof["backups"][0]["backup"]["parts"]} == kinds
    assert proof["post"].startswith(f"https://{name}.{DOMAIN}/")


def test_what_pixelfed_runs_ends_when_told(services: Services) -> None:
    """What does not listen is killed when its time is over, and then counts as failed."""
    pixelfed = services.lab["pixelfed"]

    for part in ("scheduler", "worker", "web"):
        begun = time.monotonic()
        pixelfed.succeed(f"systemctl stop pixelfed-{part}.service")
        assert time.monotonic() - begun < 15
        shown = pixelfed.succeed(f"systemctl show --property ActiveState --value pixelfed-{part}.service")
        assert shown.strip() == "inactive"
        pixelfed.succeed(f"systemctl start pixelfed-{part}.service")


def test_a_second_plan_changes_nothing(services: Services) -> None:
    assert services.planned() == {}


def test_a_changed_setting_restarts_only_what_it_must(services: Services) -> None:
    before = services.starts()
    services.wants(peertube={"title": "Films of ours"})

    services.succeed("apply", "--yes")

    after = services.starts()
    assert {unit for unit in after if after[unit] != before[unit]} == {"peertube peertube"}
    assert services.planned() == {}


def test_a_media_host_that_is_down_is_told(services: Services) -> None:
    services.lab["garage"].succeed("systemctl stop caddy.service")

    unmet = services.unmet()

    services.lab["garage"].succeed("systemctl start caddy.service")
    assert {comes_back(name) for name in TARGETS[1:]} <= unmet.keys()
    assert "connection refused" in unmet[comes_back("mastodon")]


def test_a_key_that_garage_lost_is_told_and_the_application_stays_as_it_is(services: Services) -> None:
    """Garage never takes a key again that was deleted: the apply fails there, and what would fail next is not begun."""
    garage, before = services.lab["garage"], services.starts()
    listed = garage.succeed("podman exec garage /garage key list | grep 'fedikit mastodon'")
    garage.succeed(f"podman exec garage /garage key delete --yes {listed.split()[0]}")
    assert services.unmet() == {
        comes_back("mastodon"): "wanted a bucket mastodon that takes an object, "
        "saw the bucket refuses the application's key: AccessDenied"
    }

    services.wants(mastodon={"webProcesses": 1})
    report = json.loads(services.run("apply", "--yes", "--json").stdout)["hosts"]
    assert {name: report[name]["outcome"] for name in TARGETS[:2]} == {"garage": "failed", "mastodon": "skipped"}
    assert services.starts() == before

    services.rotate("mastodon/bucket-key")
    services.succeed("apply", "--yes")
    assert services.unmet() == {}
    assert services.planned() == {}


def test_a_disabled_application_goes_and_leaves_its_data(services: Services) -> None:
    before = services.starts()
    services.wants(pixelfed={"enable": False})

    report = services.succeed("apply", "--yes")

    kept = [line.split()[:3] for line in report.splitlines() if "bears data" in line]
    assert ["·", "database", "mariadb/pixelfed"] in kept
    assert "bucket    pixelfed  bears data" in report
    services.lab["pixelfed"].fails("systemctl is-active pixelfed-web.service pixelfed-worker.service caddy.service")
    services.lab["pixelfed"].succeed("test -d /srv/pixelfed-storage && test -d /var/lib/mysql/pixelfed")
    after = services.starts()
    touched = {unit for unit in after if after[unit] != before[unit]}
    assert {unit for unit in touched if not unit.startswith("pixelfed")} == set()


def test_removal_with_purge_leaves_every_machine_as_it_was(services: Services) -> None:
    services.succeed("remove", "--yes", "--purge", "--confirm", "lab")
    for name in TARGETS[1:]:
        services.lab[name].succeed(f"rm --recursive {REPOSITORY}")

    assert {name: changes(services.before[name], picture_of(services.lab, name)) for name in TARGETS} == {
        name: [] for name in TARGETS
    }
    assert {name: services.lab[name].run(CONTAINER_REMAINS).stdout for name in TARGETS} == dict.fromkeys(TARGETS, "")
