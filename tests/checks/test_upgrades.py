"""From an older version of each small server's image to the one that the recipe names, with what people have put there.

The older version is the contract image with another version in it: another image with another name. Mastodon's upgrade,
in two steps, has a test of its own.
"""

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fedikit.apply import apply_plan
from fedikit.display.drawing import lines_of
from fedikit.environment import load_catalogue, load_environment
from fedikit.model import Configuration, Deployment, configuration_model, initial_password
from fedikit.plan import make_plan
from fedikit.secrets import Vault
from fedikit.store import Images
from fedikit_lab import Lab
from fedikit_lab.images import lab_image
from fedikit_lab.layout import Layout
from fedikit_lab.replacements import GARAGE, STAND_INS, Replacement
from fedikit_lab.standins import VERSION_FILE
from tests.checks.certificates import await_certificates
from tests.checks.gotosocial import App
from tests.checks.journeys import Browser, PeerTube, Pixelfed
from tests.checks.pictures import picture, video
from tests.checks.test_upgrade import use_store

DOMAIN, EMAIL = "fediversity.test", "test@fediversity.test"
OLDER = {"gotosocial": "0.22.1", "peertube": "8.2.1", "pixelfed": "0.14.3"}
IMAGES = {one.machine: one for one in STAND_INS if one.machine in OLDER}
PERSON = {"displayName": "Testy McTestface", "username": "test", "email": EMAIL}

pytestmark = pytest.mark.lab


class Servers:
    """All three, and what people have put there."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.shown: list[str] = []
        """Addresses of a picture, a film and a post."""
        lab.announce(self.deployment())
        lab.set_dns({DOMAIN: lab["garage"].address})

    def deployment(self) -> Deployment:
        chosen = {"domain": DOMAIN, "initialUser": PERSON, **{name: {"enable": True} for name in OLDER}}
        configuration: Configuration = configuration_model(load_catalogue()).model_validate(chosen)
        return load_environment(self.lab.environment_file).deployment(configuration)

    def password(self, application: str) -> str:
        return Vault.of(self.deployment()).value(initial_password(application))

    def ask(self, url: str) -> httpx.Response:
        """What a visitor gets there, for whom the lab's DNS and its authority are the world's."""
        host = httpx.URL(url).host
        machine = "garage" if host.startswith("media.") else host.partition(".")[0]
        trust = ssl.create_default_context(cadata=self.lab.acme_root())
        with httpx.Client(verify=trust, timeout=30) as visitor:
            place = httpx.URL(url).copy_with(host=self.lab[machine].address)
            return visitor.get(place, headers={"Host": host}, extensions={"sni_hostname": host})

    def running(self) -> dict[str, str]:
        """The tag of the image that runs of each; what Pixelfed tells of itself is fifteen minutes old."""
        containers = {"gotosocial": "gotosocial", "peertube": "peertube", "pixelfed": "pixelfed-web"}
        seen = "podman container inspect --format {{.ImageName}}"
        told = {name: self.lab[name].succeed(f"{seen} {container}") for name, container in containers.items()}
        return {name: image.strip().rpartition(":")[2].removeprefix("v") for name, image in told.items()}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Older versions of all three, in a store of their own."""
    folder = tmp_path_factory.mktemp("upgrades")
    layouts = {one.reference: lab_image(one.reference) for one in (GARAGE, *IMAGES.values())}
    with pytest.MonkeyPatch.context() as patch, Lab(folder / "lab", ("garage", *OLDER), client=True) as lab:
        use_store(folder / "store", patch)
        for reference, layout in layouts.items():
            Images().add(reference, layout)
        with pytest.MonkeyPatch.context() as then:
            for name, one in IMAGES.items():
                layout = aged(layouts[one.reference], OLDER[name], folder / name)
                older = named(one, OLDER[name])
                then.setattr(one.owner, one.attribute, older)
                Images().add(one.reference, layout)
            there = Servers(lab)
            report = apply_plan(make_plan(there.deployment()))
            assert report.succeeded, report
            names = {f"media.{name}.{DOMAIN}": "garage" for name in ("peertube", "pixelfed")}
            await_certificates(lab, {f"{name}.{DOMAIN}": name for name in OLDER} | names)
        yield there


def named(one: Replacement, version: str) -> str:
    return one.image.replace(one.version, version)


def aged(layout: Path, version: str, folder: Path) -> Path:
    """The image with one more layer, in which it calls itself that version."""
    shutil.copytree(layout, folder)
    tree = folder.with_name(f"{folder.name}-tree")
    (tree / VERSION_FILE).parent.mkdir(parents=True)
    (tree / VERSION_FILE).write_text(version)
    Layout(folder).add_layer(tree, version)
    return folder


def test_the_older_versions_take_posts(servers: Servers, tmp_path: Path) -> None:
    assert servers.running() == OLDER
    (tmp_path / "picture.png").write_bytes(picture())
    (tmp_path / "film.mp4").write_bytes(video())
    with servers.lab.client.session(trust=servers.lab.acme_root()) as driver:
        browser = Browser(driver, tmp_path / "pictures")
        pixelfed = Pixelfed(browser, f"https://pixelfed.{DOMAIN}")
        pixelfed.sign_in(EMAIL, servers.password("pixelfed"))
        media = f"https://media.pixelfed.{DOMAIN}/"
        servers.shown.append(pixelfed.publish_picture(tmp_path / "picture.png", "A day at the sea", media=media))
        peertube = PeerTube(browser, f"https://peertube.{DOMAIN}")
        peertube.sign_in("test", servers.password("peertube"))
        media = f"https://media.peertube.{DOMAIN}/"
        servers.shown.append(peertube.publish_video(tmp_path / "film.mp4", "A day at the sea", media=media))
    with App(servers.lab) as app:
        assert app.sign_in(servers.password("gotosocial"))
        servers.shown.append(app.told("POST", "/api/v1/statuses", data={"status": "Before the upgrade"})["url"])


def test_the_plan_says_first_what_is_newer(servers: Servers) -> None:
    plan = make_plan(servers.deployment())

    said = "\n".join(line.strip() for line in lines_of(plan))
    for name, one in IMAGES.items():
        prefix = one.image.rpartition(":")[2].removesuffix(one.version)
        assert f"↑ {name} {prefix}{OLDER[name]} → {prefix}{one.version}" in said


def test_an_upgrade_keeps_what_people_have_put_there(servers: Servers) -> None:
    report = apply_plan(make_plan(servers.deployment()))

    assert report.succeeded, report
    assert servers.running() == {name: one.version for name, one in IMAGES.items()}
    answers = [servers.ask(url) for url in servers.shown]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert "Before the upgrade" in answers[-1].text
    assert make_plan(servers.deployment()).is_noop
