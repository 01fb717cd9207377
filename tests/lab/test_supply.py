"""Which images the lab runs: each is said to be what it is, and what is lacking is built, or told what it needs."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from fedikit.catalogue.mastodon import Mastodon
from fedikit.errors import FedikitError
from fedikit.events import tell_nobody
from fedikit.policies import garage as policy
from fedikit.store import Images
from fedikit_lab import requirements, supply
from fedikit_lab.cli import lab as command_line
from fedikit_lab.supply import supplies, supply_all
from tests.images import SmallImage, write_archive


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDIKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(supply.CHOICE, raising=False)


def test_every_image_says_what_it_is_before_it_is_built() -> None:
    titles = {image.reference.partition(":")[0]: image.title for image in supplies()}
    assert titles["built.lab/garage"].startswith("Garage ")
    contracts = {name: title for name, title in titles.items() if name != "built.lab/garage"}
    assert len(contracts) >= 4
    for name, title in contracts.items():
        assert name.startswith("contract.lab/")
        assert title.startswith("Contract image of ")
    assert not any(image.is_there for image in supplies())


def test_a_new_version_in_a_recipe_is_all_that_the_lab_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mastodon, "image", "ghcr.io/mastodon/mastodon:v99.1.0")
    monkeypatch.setattr(policy, "IMAGE", "docker.io/dxflrs/garage:v98.2.0")
    known = {image.reference: image.title for image in supplies()}
    assert known["contract.lab/mastodon:v99.1.0"] == "Contract image of Mastodon"
    assert known["built.lab/garage:v98.2.0"] == "Garage 98.2.0, built in the lab"
    assert supply.mirrors()["docker.io/dxflrs/garage"] == "built.lab/garage"


def test_the_command_line_lists_them() -> None:
    said = CliRunner().invoke(command_line, ["images"], catch_exceptions=False).output
    assert "Contract image of Mastodon " in said
    assert "  in the place of ghcr.io/mastodon/mastodon:" in said
    assert "is not there yet" in said


def test_upstreams_images_stand_for_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(supply.CHOICE, "upstream")
    first = supplies()[0]
    assert (first.reference, first.title, first.is_there) == (first.recipe, "", False)
    Images().add(first.recipe, write_archive(tmp_path / "image.tar", SmallImage({"a": b"a"}, title="The real one")))
    first = supplies()[0]
    assert (first.title, first.is_there) == ("The real one", True)
    supply_all(tell=tell_nobody)
    assert "in the place of" not in CliRunner().invoke(command_line, ["images"]).output


def test_all_that_cannot_be_built_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(name: str, **_: object) -> Path:
        asked.append(name)
        raise FedikitError(f"no {name}", hint="get Rust" if "garage" in name else "become root")

    monkeypatch.setattr(supply, "lab_image", refuse)
    with pytest.raises(FedikitError) as refused:
        supply_all(tell=tell_nobody)
    assert asked == [image.reference for image in supplies()]
    assert refused.value.message.splitlines() == [f"no {name}" for name in asked]
    assert refused.value.hint == "get Rust; become root"


def test_tools_that_are_lacking_are_told_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FedikitError, match="the lab lacks: skopeo, umoci\n  → apt-get install skopeo umoci"):
        supply_all(tell=tell_nobody)
    (tmp_path / "umoci").touch(mode=0o755)
    with pytest.raises(FedikitError, match="the lab lacks: skopeo\n"):
        requirements.require_image_tools()
