"""The file with the secrets that came along, beside the new environment's: gone in any phase, or somebody else's."""

import shutil
import tomllib
from collections.abc import Callable

import pytest

from fedikit.data import carrying_secrets
from fedikit.data.migration import sides
from fedikit.events import Event, StepStarted, Tell
from fedikit.model.item import File, Item, SecretRef, SecretText
from fedikit.results.migration import PHASES, Phase
from fedikit.secrets.sealing import seal
from fedikit.secrets.vault import Vault
from tests.data.migration.scene import APPLICATION, Provider, Scene, Side
from tests.data.migration.test_phases import never_both, require_one_serves
from tests.data.migration.test_planning import error_of
from tests.data.migration.test_standing import cut

OWN = SecretRef(name=f"{APPLICATION}/session-key")
VARIABLES = f"/etc/{APPLICATION}.env"
ENVIRONMENT = 'name = "new"\n\n[hosts.there]\ntype = "directory"\npath = "there"\n'


class Keyed:
    """Both sides, of an application with a secret that travels."""

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scene = scene
        self.file = scene.file.with_name(f"{APPLICATION}.sealed")
        scene.file.write_text(ENVIRONMENT)
        for side in (scene.old, scene.new):
            monkeypatch.setattr(side, "_items", keyed(side))
        assert scene.old.stage.bring(scene.old.wanted).succeeded
        for module in (carrying_secrets, sides):
            monkeypatch.setattr(module, "load_environment", self.load)

    def load(self, _: object = None) -> Provider:
        """The new provider, as its file says now which secrets came along."""
        stage = self.scene.new.stage
        named = tomllib.loads(self.scene.file.read_text()).get("secrets", {}).get("sealed", [])
        sealed = tuple(str(self.scene.file.with_name(name)) for name in named)
        secrets = stage.environment.secrets.model_copy(update={"sealed": sealed})
        stage.environment = stage.environment.model_copy(update={"secrets": secrets})
        return self.scene.new.provider

    def is_lost(self) -> None:
        self.file.rename(self.file.with_suffix(".away"))

    def is_of_another(self) -> None:
        """Sealed to another master key, such as the old side's."""
        self.is_lost()
        text = seal(
            {OWN: "5" * 64},
            application=APPLICATION,
            deployment="old",
            recipient=Vault.of(self.scene.old.wanted).recipient(),
        )
        self.file.write_text(text)
        self.file.chmod(0o600)

    def comes_back(self) -> None:
        self.file.unlink(missing_ok=True)
        shutil.copy(self.file.with_suffix(".away"), self.file)

    @property
    def carries_its_secret(self) -> bool:
        here, there = (side.machine.path(VARIABLES).read_text() for side in (self.scene.old, self.scene.new))
        return here == there


def keyed(side: Side) -> Callable[[str], list[Item]]:
    usual = side._items
    variables = File(path=VARIABLES, content=SecretText(parts=("KEY=", OWN)), mode="0600")

    def items(name: str) -> list[Item]:
        return [variables, *usual(name)]

    return items


@pytest.fixture
def world(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Keyed:
    return Keyed(scene, monkeypatch)


def as_it_begins(world: Keyed, phase: Phase, harm: str) -> Tell:
    def tell(event: Event) -> None:
        never_both(world.scene)(event)
        if event == StepStarted(step=phase):
            getattr(world, harm)()

    return tell


@pytest.mark.parametrize(
    ("phase", "harm"),
    [*((phase, "is_lost") for phase in PHASES), *((phase, "is_of_another") for phase in ("secrets", "stage", "start"))],
)
def test_whenever_it_is_lost_one_side_serves_at_most_and_with_it_put_back_it_goes_on(
    world: Keyed, phase: Phase, harm: str
) -> None:
    scene = world.scene
    if phase == "secrets":
        cut(scene, "secrets")
    report = scene.migrate(as_it_begins(world, phase, harm))
    begun = PHASES.index(phase) > PHASES.index("open")
    if report.error:
        assert world.file.name in report.error
        assert "Traceback" not in report.error
        assert "do the same again" in report.advice
        assert scene.old.serves == (not begun), report
    world.comes_back()
    words = "the first words"
    if scene.new.serves:
        scene.new.write(words := "written at the new place")
    if scene.plan().left:
        assert scene.migrate(never_both(scene)).error == ""
    require_one_serves(scene, scene.new, words)
    assert world.carries_its_secret


@pytest.mark.parametrize("harm", ["is_lost", "is_of_another"])
def test_a_plan_says_what_to_do_about_it_before_anything_is_done(world: Keyed, harm: str) -> None:
    cut(world.scene, "secrets")
    getattr(world, harm)()
    error = error_of(world.scene.plan())
    assert world.file.name in error
    assert "take it out of secrets.sealed" in error or "have it sealed to this one" in error
    assert world.scene.old.serves
