"""Bad input, as data: `bad_input/*.json` holds what somebody wrote, and every path that must be complained of.

A case changes the good sample (`with`, `without`), or is a file of its own (`text`, `bytes`, `toml`, `file`).
Where it holds a secret, the secret is the word POISON, or is named (`secret`).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment import load_configuration, load_environment
from fedikit.errors import ConfigurationError

Case = dict[str, Any]
Write = Callable[[str, Any], Path]


def cases(name: str) -> list[Any]:
    table = json.loads((Path(__file__).parent / "bad_input" / f"{name}.json").read_text())
    return [pytest.param(case, id=case["case"]) for case in table]


def changed(good: Case, case: Case) -> Case:
    """The good sample with the case's changes, each at its dotted path."""
    for path, value in case.get("with", {}).items():
        *groups, key = path.split(".")
        group_at(good, groups)[key] = value
    for path in case.get("without", ()):
        *groups, key = path.split(".")
        del group_at(good, groups)[key]
    return good


def group_at(data: Case, path: list[str]) -> Case:
    for step in path:
        data = data[step]
    return data


def written(case: Case, good: Case, write: Write, name: str) -> Path:
    if "file" in case:
        return write("there", "").parent / str(case["file"])
    if "toml" in case:
        return write(f"{name}.toml", case["toml"])
    if "bytes" in case:
        return write(f"{name}.json", bytes.fromhex(case["bytes"]))
    return write(f"{name}.json", case["text"] if "text" in case else changed(good, case))


def assert_refused(error: ConfigurationError, case: Case, path: Path) -> None:
    assert error.source == str(path)
    assert error.exit_status == 2
    assert {mistake.path for mistake in error.mistakes} == set(case["expected"])
    for mistake in error.mistakes:
        assert case["expected"][mistake.path] in mistake.message
    assert case.get("secret", "POISON") not in f"{error} {error!r} {error.mistakes}"


@pytest.mark.parametrize("case", cases("configuration"))
def test_a_bad_configuration_is_refused_at_every_path(case: Case, sample: Case, write: Write) -> None:
    path = written(case, sample, write, "configuration")
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(path)
    assert_refused(refused.value, case, path)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("depth", [250, 900, 5000, 100_000])
def test_a_bottomless_configuration_is_refused(depth: int, write: Write) -> None:
    path = write("configuration.json", '{"snac":' + "[" * depth + "]" * depth + "}")
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(path)
    assert [mistake.message for mistake in refused.value.mistakes] == ["is nested too deeply"]


@pytest.mark.parametrize("case", cases("environment"))
def test_a_bad_environment_is_refused_at_every_path(case: Case, provider: Case, write: Write) -> None:
    path = written(case, provider, write, "environment")
    with pytest.raises(ConfigurationError) as refused:
        load_environment(path)
    assert_refused(refused.value, case, path)
    assert refused.value.__cause__ is None
