"""Secrets where they could slip out: in the words of a failing command, in a difference, in a real server's setup."""

import json
import secrets
from pathlib import Path

import pytest
from pydantic import SecretStr

import fedikit
from fedikit.apply import apply_plan
from fedikit.model.deployment import Deployment
from fedikit.model.item import File, Item, Job, SecretRef, SecretText
from fedikit.plan import make_plan
from fedikit.secrets.redaction import find_leaks
from fedikit_lab import Lab
from tests.failure.scene import Scene, error_of
from tests.failure.test_poison import KEEP_WATCHING, pulled

pytestmark = pytest.mark.lab

POISON = SecretText(parts=("password=", SecretRef(name="poison"), "\n"))


@pytest.fixture
def scene(lab: Lab) -> Scene:
    lab["one"].reset()
    return Scene(lab, "one")


@pytest.fixture
def poison() -> str:
    return f"p0ison-{secrets.token_hex(8)}"


def with_poison(scene: Scene, poison: str, *items: Item) -> Deployment:
    return scene.wants(one=items).with_given({"poison": SecretStr(poison)})


def test_a_command_that_repeats_its_secret_is_quoted_without_it(scene: Scene, poison: str) -> None:
    loud = Job(name="loud", run=("sh", "-c", "echo it read:; cat; exit 1"), stdin=POISON)
    events: list[str] = []
    plan = make_plan(with_poison(scene, poison, loud))
    report = apply_plan(plan, tell=lambda event: events.append(repr(event)))
    assert "| password=•••" in error_of(report, "one")
    assert not [event for event in events if poison in event]


def test_a_secret_file_that_becomes_a_plain_one_is_not_shown(lab: Lab, scene: Scene, poison: str) -> None:
    assert apply_plan(make_plan(with_poison(scene, poison, File(path="/etc/app.conf", content=POISON)))).succeeded
    lab["one"].succeed("echo edited >>/etc/app.conf")
    plan = make_plan(scene.wants(one=[File(path="/etc/app.conf", content="plain\n")]))
    assert not plan.has_errors, plan
    change = plan.hosts["one"].changes[0]
    assert (change.action, change.before) == ("update", None)
    assert apply_plan(plan).succeeded
    lab["one"].fails(f"grep --recursive {poison} /etc /var/lib/fedikit")


def test_the_initial_password_of_a_real_server_is_nowhere_in_clear(
    lab: Lab, scene: Scene, poison: str, tmp_path: Path
) -> None:
    deployment = snac_alone(scene, poison, tmp_path)
    lab["one"].succeed(KEEP_WATCHING)
    report = apply_plan(make_plan(deployment))
    assert report.succeeded, report
    lab["one"].wait_for_unit("snac2.service")
    account = json.loads(lab["one"].succeed("cat /var/lib/snac2/user/test/user.json"))
    assert ":" in account["passwd"]
    assert make_plan(deployment).is_noop

    machine = pulled(lab, tmp_path / "machine")
    (tmp_path / "machine" / "told").write_text(report.model_dump_json() + deployment.model_dump_json())
    assert find_leaks([machine], [poison]) == []
    (tmp_path / "machine" / "var/planted").write_text(f"<{poison}>")
    assert find_leaks([machine], [poison]) != []


def snac_alone(scene: Scene, poison: str, folder: Path) -> Deployment:
    """What the catalogue wants for snac, without the web server in front of it."""
    environment = scene.environment.model_validate(
        {**scene.environment.model_dump(), "placement": {"snac": "one"}, "policies": {"web": {"means": "caddy"}}}
    )
    person = {"displayName": "Testy", "username": "test", "email": "test@fediversity.test", "password": poison}
    chosen = {"domain": "fediversity.test", "snac": {"enable": True}, "initialUser": person}
    (folder / "configuration.json").write_text(json.dumps(chosen))
    deployment = environment.deployment(fedikit.load_configuration(folder / "configuration.json"))
    own = [item for item in deployment.hosts["one"].items if "caddy" not in item.id]
    return scene.wants(one=own).with_given(deployment.given)
