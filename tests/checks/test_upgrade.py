"""A new version of Mastodon's images: what it changes and what it leaves alone, and the way back.

The new version is the contract image with another version in it: enough to be another image with another name.
"""

import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from fedikit.apply import apply_plan
from fedikit.catalogue.mastodon import Mastodon
from fedikit.data.closing import close_application, open_application
from fedikit.data.migration.moving import apply_move
from fedikit.data.migration.planning_moves import make_move
from fedikit.data.migration.sides import Sides
from fedikit.data.safeguard import apply_safely
from fedikit.display.drawing import lines_of
from fedikit.environment import Environment, load_catalogue, load_environment
from fedikit.model import Configuration, Deployment, configuration_model, initial_password
from fedikit.plan import make_plan, make_rollback
from fedikit.results.migration import MOVING
from fedikit.results.plan import Plan
from fedikit.secrets import Vault
from fedikit.store import Images, Store, default_directory
from fedikit_lab import Lab
from fedikit_lab.images import lab_image
from fedikit_lab.layout import Layout
from fedikit_lab.member import sign_in, visitor_at
from fedikit_lab.replacements import GARAGE, STAND_INS
from fedikit_lab.standins import VERSION_FILE
from tests.checks.certificates import await_certificates
from tests.checks.pictures import picture

DOMAIN = "fediversity.test"
SITE = f"mastodon.{DOMAIN}"
EMAIL = f"test@{DOMAIN}"
IMAGES = [one for one in STAND_INS if one.owner is Mastodon]
OLD = IMAGES[0].version
NEW = f"{OLD}1"
UNITS = ("mastodon-web", "mastodon-streaming", "mastodon-sidekiq")
MIGRATIONS = ("job:mastodon migrations", "job:mastodon late migrations")

pytestmark = pytest.mark.lab


class Instance:
    """The deployment, and the server as its user meets it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.environment_file = lab.environment_file
        lab.announce(self.deployment())
        lab.set_dns({DOMAIN: lab["garage"].address})  # addresses of people need a domain that receives mail

    def configuration(self) -> Configuration:
        person = {"displayName": "Testy McTestface", "username": "test", "email": EMAIL}
        chosen = {"domain": DOMAIN, "initialUser": person, "mastodon": {"enable": True}}
        return configuration_model(load_catalogue()).model_validate(chosen)

    def deployment(self) -> Deployment:
        return self.environment().deployment(self.configuration())

    def environment(self) -> Environment:
        return load_environment(self.environment_file)

    def back_up(self) -> None:
        """From now on, its host backs it up."""
        self.lab["mastodon"].succeed("mkdir /srv/backups")
        policy = '\n[policies.backup]\nrepository = "/srv/backups"\n'
        text = self.lab.environment_file.read_text() + policy
        self.environment_file = self.lab.environment_file.with_name("with-backups.toml")
        self.environment_file.write_text(text)

    def planned(self) -> dict[str, dict[str, str]]:
        """What would change, by host and item."""
        plan = make_plan(self.deployment())
        return changes_in(plan)

    def migrations(self) -> int:
        """How often they ran, of both kinds: Podman says so in the journal of the host."""
        begun = "journalctl --output=cat | grep -c 'container start .*name=mastodon-.*migrations' || true"
        return int(self.lab["mastodon"].succeed(begun))

    def version(self) -> str:
        with self.visitor() as visitor:
            return str(visitor.get("/nodeinfo/2.0").json()["software"]["version"])

    def visitor(self) -> httpx.Client:
        """Somebody out there, for whom the lab's DNS and its authority are the world's."""
        trust = ssl.create_default_context(cadata=self.lab.acme_root())
        address = self.lab["mastodon"].address
        return visitor_at(address, SITE, trust)

    @contextmanager
    def member(self) -> Iterator[httpx.Client]:
        """The initial user, signed in through the form."""
        password = Vault.of(self.deployment()).value(initial_password("mastodon"))
        with self.visitor() as visitor:
            sign_in(visitor, EMAIL, password)
            yield visitor

    def publish(self, text: str) -> None:
        with self.member() as member:
            answer = member.post("/api/v1/statuses", json={"status": text})
            assert answer.status_code == 200, answer.text

    def upload(self) -> str:
        """Publishes a picture; where it lies."""
        with self.member() as member:
            return str(published(member, "Seen from afar")["url"])

    def posts(self) -> list[str]:
        """The texts in the member's home timeline."""
        with self.member() as member:
            shown = member.get("/api/v1/timelines/home").json()
        return [re.sub("<[^>]+>", "", post["content"]) for post in shown]


def published(member: httpx.Client, text: str) -> dict[str, str]:
    """A post with a picture; the picture."""
    media: dict[str, str] = member.post("/api/v2/media", files={"file": ("a.png", picture(), "image/png")}).json()
    assert member.post("/api/v1/statuses", json={"status": text, "media_ids": [media["id"]]}).status_code == 200
    return media


def changes_in(plan: Plan) -> dict[str, dict[str, str]]:
    planned = {name: {c.id: c.action for c in host.changes} for name, host in plan.hosts.items()}
    return {name: changed for name, changed in planned.items() if changed}


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with Lab(tmp_path_factory.mktemp("upgrade"), machines=("garage", "mastodon")) as lab:
        yield Instance(lab)


@pytest.fixture
def new_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe names the next version, and a store of its own has it."""
    offer_new_version(tmp_path, monkeypatch)


def offer_new_version(folder: Path, monkeypatch: pytest.MonkeyPatch, *, bundle: str = "") -> None:
    """`bundle`: a shell script that is called instead of that program."""
    layouts = {one.reference: lab_image(one.reference) for one in (GARAGE, *IMAGES)}
    use_store(folder / "new", monkeypatch)
    Images().add(GARAGE.reference, layouts[GARAGE.reference])
    for one in IMAGES:
        old, named = one.reference, renewed_name(one.image)
        Images().add(renewed_name(old), renewed(layouts[old], folder / one.module, bundle=bundle))
        monkeypatch.setattr(Mastodon, one.attribute, named)


def use_store(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another store of the deployer's: nothing is in there but the package lists."""
    lists = default_directory() / "apt"
    monkeypatch.setenv("FEDIKIT_CACHE", str(cache))
    Store().directory.mkdir(parents=True)
    (Store().directory / "apt").symlink_to(lists)


def renewed_name(image: str) -> str:
    return image.replace(OLD, NEW)


def renewed(layout: Path, folder: Path, *, bundle: str = "") -> Path:
    """The image with one more layer, in which it calls itself the next version."""
    shutil.copytree(layout, folder)
    tree = folder.with_name(f"{folder.name}-tree")
    (tree / VERSION_FILE).parent.mkdir(parents=True)
    (tree / VERSION_FILE).write_text(NEW)
    if bundle:
        first = tree / "usr/local/sbin/bundle"
        first.parent.mkdir(parents=True)
        first.write_text(bundle)
        first.chmod(0o755)
    Layout(folder).add_layer(tree, NEW)
    return folder


def test_the_first_version_takes_a_post(instance: Instance) -> None:
    report = apply_plan(make_plan(instance.deployment()))
    assert report.succeeded, report
    await_certificates(instance.lab, {SITE: "mastodon"})

    assert instance.version() == f"{OLD}+contract"
    instance.publish("Before the upgrade")


def test_an_upgrade_touches_nothing_but_the_version(instance: Instance, new_version: None) -> None:
    plan = make_plan(instance.deployment())
    assert changes_in(plan) == {"mastodon": upgrade(OLD, NEW)}
    migrations = instance.migrations()

    report = apply_plan(plan)

    assert report.succeeded, report
    assert instance.version() == f"{NEW}+contract"
    assert instance.migrations() == migrations + len(MIGRATIONS)
    assert instance.posts() == ["Before the upgrade"]
    assert instance.planned() == {}


def test_the_way_back_needs_nothing_of_the_deployers_store(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_store(tmp_path / "empty", monkeypatch)
    plan = make_rollback(instance.environment())
    assert changes_in(plan) == {"mastodon": upgrade(NEW, OLD)}

    report = apply_plan(plan)

    assert report.succeeded, report
    assert instance.version() == f"{OLD}+contract"
    assert instance.posts() == ["Before the upgrade"]


SPOILS = """\
#!/bin/sh
case "$*" in *db:prepare*)
python3 -c "
import os, psycopg2
names = dict(host='HOST', port='PORT', dbname='NAME', user='USER', password='PASS')
place = psycopg2.connect(**{key: os.environ['DB_' + name] for key, name in names.items()})
place.autocommit = True
place.cursor().execute('DROP TABLE statuses CASCADE')
"
exit 1;; esac
exec /usr/local/bin/bundle "$@"
"""
NEVER_HEALTHY = """\
#!/bin/sh
case "$*" in *puma*) exit 1;; esac
exec /usr/local/bin/bundle "$@"
"""


def test_what_backs_the_server_up_comes_with_an_apply(instance: Instance) -> None:
    instance.back_up()
    report = apply_plan(make_plan(instance.deployment()))
    assert report.succeeded, report


@pytest.mark.parametrize("bundle", [SPOILS, NEVER_HEALTHY], ids=["spoils the data", "never gets healthy"])
def test_a_version_that_fails_takes_nothing_along_and_goes_back(
    instance: Instance, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as then:
        offer_new_version(tmp_path, then, bundle=bundle)
        plan = make_plan(instance.deployment())
        assert changes_in(plan)["mastodon"].items() >= upgrade(OLD, NEW).items()
        assert "mastodon on mastodon is backed up first" in "\n".join(lines_of(plan))

        report = apply_safely(plan)

    assert not report.succeeded
    (returned,) = report.returned
    assert (returned.host, returned.application, returned.error) == ("mastodon", "mastodon", "")
    assert f"what was written since is in the backup {returned.before}" in "\n".join(lines_of(report))
    assert instance.version() == f"{OLD}+contract"
    assert instance.posts() == ["Before the upgrade"]
    assert instance.planned() == {}


WRITE = """\
PGPASSWORD="$(cat /etc/fedikit/data/mastodon/database-password)" psql --host=127.0.0.1 --username=mastodon \
    --dbname=mastodon --command="INSERT INTO rules (text) VALUES ('Be kind')"
"""


def refuses(answer: httpx.Response) -> bool:
    """Whether it is the page of a site that can only be read, for people and for other servers."""
    return answer.status_code == 503 and "retry-after" in answer.headers and "can be read until then" in answer.text


def fetched(lab: Lab, url: str, machine: str = "garage") -> bytes:
    """What a machine shows as its media host's."""
    way = ["--resolve", f"{httpx.URL(url).host}:443:{lab[machine].address}"]
    trust = ["--cacert", str(lab.directory / "pebble-root.pem")]
    return subprocess.run(
        ["curl", "-sSf", "--max-time", "20", *trust, *way, url], capture_output=True, check=True
    ).stdout


def test_it_is_read_while_it_is_closed_for_writing_and_nobody_writes(instance: Instance) -> None:
    """Neither by the web nor by the application's own password; nor does what is read start again, once it is down."""
    machine, closing = instance.lab["mastodon"], (instance.deployment(), "mastodon", "mastodon")
    with instance.member() as member:
        media = published(member, "Seen from afar")

        assert close_application(*closing, migration="m1", why="reading").why == "reading"
        machine.succeed("systemctl restart postgresql.service")
        assert "Seen from afar" in member.get("/api/v1/timelines/home").text
        assert member.get("/@test").status_code == 200
        assert fetched(instance.lab, media["url"]) == picture()
        for path in ("/api/v1/statuses", "/inbox", "/auth/sign_in"):
            assert refuses(member.post(path, json={"status": "Too late"})), path
        assert refuses(member.get("/api/v1/streaming/health"))
        assert "cannot execute INSERT in a read-only transaction" in machine.run(WRITE).stderr

        machine.succeed("systemctl stop mastodon-web.service")
        machine.fails("systemctl start mastodon-web.service")
        assert refuses(member.get("/@test"))
        assert open_application(*closing, migration="m1", start=True)
        assert member.post("/api/v1/statuses", json={"status": "Back again"}).status_code == 200
        assert instance.posts()[:2] == ["Back again", "Seen from afar"]
        machine.succeed("systemctl is-active mastodon-web.service mastodon-sidekiq.service mastodon-streaming.service")


def test_its_bucket_comes_to_its_own_machine_with_the_media_host(instance: Instance) -> None:
    """The machine that the name leads to shows what is old and what is new, until the name leads to the other."""
    lab, path = instance.lab, instance.environment_file
    old = instance.upload()
    path.write_text(path.read_text().replace('host = "garage"', 'host = "mastodon"'))
    sides = Sides(instance.environment(), instance.environment(), instance.configuration(), path)
    plan = make_move(sides)
    assert [(site.source, site.target) for site in plan.sites] == [("garage", "mastodon")]

    report = apply_move(plan, sides, names_seconds=0)

    assert "names do not lead to lab yet" in report.error
    assert report.compared == {"mastodon": ()}
    assert [fetched(lab, url) for url in (old, instance.upload())] == [picture(), picture()]
    lab.set_dns({httpx.URL(old).host: lab["mastodon"].address})
    rest = make_move(sides)
    assert (rest.sites, rest.left) == (plan.sites, MOVING[MOVING.index("names") :])
    report = apply_move(rest, sides, names_seconds=60)
    assert report.error == ""
    assert fetched(lab, old, "mastodon") == picture()
    assert instance.planned() == {}
    lab["garage"].fails("systemctl is-active caddy.service garage.service")


def upgrade(old: str, new: str) -> dict[str, str]:
    """What changes on Mastodon's host, and no more: the account's own tasks do not run again."""
    return {
        **{f"image:{one.repository}:v{old}": "delete" for one in IMAGES},
        **{f"image:{one.repository}:v{new}": "create" for one in IMAGES},
        **{f"file:/etc/containers/systemd/{name}.container": "update" for name in UNITS},
        **{f"unit:{name}.service": "update" for name in UNITS},
        **dict.fromkeys(MIGRATIONS, "run"),
    }
