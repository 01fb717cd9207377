"""`panel.toml`: who may do what, and what is wrong with the file, all at once."""

from pathlib import Path

import pytest

from fedikit.errors import ConfigurationError
from fedikit.panel.operators import Operator, load_panel

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$q1J5dHJpbmcK"
ALICE = f"""
[operators.alice]
password = "{HASH}"
configuration = "alice.json"
environment = "hosts.toml"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "panel.toml"
    file.write_text(text)
    return file


def operator(**fields: object) -> Operator:
    return Operator.model_validate({"password": HASH, "configuration": "c", "environment": "e", **fields})


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    panel = load_panel(written(tmp_path, ALICE))
    assert panel.operators["alice"].configuration == str(tmp_path / "alice.json")
    assert panel.operators["alice"].environment == str(tmp_path / "hosts.toml")
    assert panel.state == str(tmp_path / "panel")


def test_every_mistake_is_named_by_its_path(tmp_path: Path) -> None:
    wrong = ALICE.replace(HASH, "hunter2") + 'approved_by = ["bob"]\nmay_purg = true\n'
    with pytest.raises(ConfigurationError) as refused:
        load_panel(written(tmp_path, wrong))
    assert {mistake.path for mistake in refused.value.mistakes} == {
        "operators.alice.password",
        "operators.alice.may_purg",
    }
    assert "hunter2" not in str(refused.value)


def test_who_must_agree_is_another_operator(tmp_path: Path) -> None:
    for stranger in ("bob", "alice"):
        with pytest.raises(ConfigurationError, match=f"{stranger} is not another operator"):
            load_panel(written(tmp_path, f'{ALICE}approved_by = ["{stranger}"]\n'))


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_panel(tmp_path / "panel.toml")


@pytest.mark.parametrize(
    ("fields", "path", "allowed"),
    [
        ({}, "domain", True),
        ({}, "pixelfed.title", True),
        ({"applications": ("snac",)}, "pixelfed.title", False),
        ({"applications": ("snac",)}, "snac.enable", True),
        ({"applications": ("snac",)}, "domain", True),
        ({"settings": ("pixelfed.title",)}, "pixelfed.title", True),
        ({"settings": ("pixelfed.title",)}, "pixelfed.titles", False),
        ({"settings": ("pixelfed.title",)}, "pixelfed.enable", True),
        ({"settings": ("initialUser",)}, "initialUser.email", True),
        ({"settings": ()}, "domain", False),
        ({"settings": ()}, "enable", False),
    ],
)
def test_what_an_operator_may_change(fields: dict[str, object], path: str, allowed: bool) -> None:
    assert operator(**fields).may_change(path) is allowed
