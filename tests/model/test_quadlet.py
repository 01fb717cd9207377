"""Quadlet files, as data: `quadlets/NAME.json` is a container and its mounts, `quadlets/NAME.container` its file.

That Podman's generator takes them is shown on real machines elsewhere.
"""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from fedikit.model import Container
from fedikit.policies.numbers import FIRST
from fedikit.policies.quadlet import OnHost, quadlet

FOLDER = Path(__file__).parent / "quadlets"
IMAGE = "registry.example.org/probe:1"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.json")))
def test_a_container_comes_to_exactly_this_file(name: str) -> None:
    case = json.loads((FOLDER / f"{name}.json").read_text())
    container = Container.model_validate(case["container"])

    seen = OnHost(case["mounts"], FIRST, case.get("variables", ()))
    assert quadlet(container, container.image, seen) == (FOLDER / f"{name}.container").read_text()


def line_of(container: Container, key: str) -> str:
    (line,) = (line for line in quadlet(container, IMAGE, OnHost({}, FIRST)).splitlines() if line.startswith(f"{key}="))
    return line.removeprefix(f"{key}=")


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain-word.rb", "plain-word.rb"),
        ("two words", '"two words"'),
        ("tab\there", '"tab\there"'),
        ("50%", '"50%%"'),
        ("$HOME", '"$$HOME"'),
        ("${HOME}%n", '"$${HOME}%%n"'),
        ('say "yes"', '"say \\"yes\\""'),
        ("it's", '"it\'s"'),
        ("back\\slash", '"back\\\\slash"'),
        ("one\ntwo", '"one\\ntwo"'),
        ("a;b", '"a;b"'),
    ],
)
def test_a_word_reaches_the_container_as_it_is(word: str, written: str) -> None:
    assert line_of(Container(name="probe", image=IMAGE, command=("say", word)), "Exec") == f"say {written}"


def test_a_value_of_the_environment_is_one_word() -> None:
    container = Container(name="probe", image=IMAGE, environment={"GREETING": 'a "b" $c 5%'})

    assert line_of(container, "Environment") == '"GREETING=a \\"b\\" $$c 5%%"'


def test_the_words_of_a_health_check_are_json_without_specifiers_and_variables() -> None:
    health = {"kind": "command", "command": ["sh", "-c", 'test "$A" = "5%"']}
    container = Container.model_validate({"name": "probe", "image": IMAGE, "health": health})

    assert line_of(container, "HealthCmd") == r'["sh", "-c", "test \"$$A\" = \"5%%\""]'
    assert line_of(container, "HealthStartupCmd") == line_of(container, "HealthCmd")


def test_an_empty_word_is_refused_for_podman_would_drop_what_follows() -> None:
    with pytest.raises(ValidationError, match=r"command\.1"):
        Container(name="probe", image=IMAGE, command=("say", "", "more"))
