"""Typed functions beyond what the evaluation tests tell: what is checked, and what that costs."""

import time

import pytest

from fedikit.errors import ConfigurationError
from fedikit.model import LoginShell, Package, Requests, TypedFunction

Shell = TypedFunction[LoginShell, Requests]


def shell(implementation: object) -> Shell:
    return TypedFunction("application probe", LoginShell, Requests, implementation)  # type: ignore[arg-type]


def test_a_mapping_becomes_an_instance_before_it_is_computed_with() -> None:
    answer = shell(lambda request: {"shell": request})({"packages": ["hello"]})

    assert answer == {"shell": LoginShell(packages=("hello",))}


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        (None, "(all of it)"),
        ([LoginShell(packages=("hello",))], "(all of it)"),
        ({"shell": Package(name="hello")}, "shell"),
        ({"shell": {"kind": "castle"}}, "shell"),
        ({"shell": {"packages": ["hello"]}}, "shell"),
        ({"shell": {"kind": "login-shell"}}, "shell.packages"),
        ({"shell": {"kind": "login-shell", "packages": ["hello"], "colour": "red"}}, "shell.colour"),
        ({"site": {"kind": "web", "domain": "a.test", "routes": [{"port": 0}]}}, "site.routes.0.port"),
    ],
)
def test_an_answer_that_is_no_request_is_refused_at_its_path(answer: object, path: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        shell(lambda request: answer)(LoginShell(packages=("hello",)))

    assert refused.value.source == "application probe gave what it must not give"
    assert {mistake.path for mistake in refused.value.mistakes} == {path}


def test_a_value_that_cannot_be_made_is_its_makers_fault() -> None:
    with pytest.raises(ConfigurationError) as refused:
        shell(lambda request: {"shell": LoginShell(packages=("No Package",))})(LoginShell(packages=()))

    assert refused.value.source == "application probe made a malformed LoginShell"
    assert [mistake.path for mistake in refused.value.mistakes] == ["packages.0"]


def test_a_thousand_calls_cost_milliseconds() -> None:
    function = shell(lambda request: {"shell": request})
    function({"packages": ["hello"]})

    start = time.perf_counter()
    for _ in range(1000):
        function({"packages": ["hello"]})

    assert time.perf_counter() - start < 0.5  # 10 ms on an idle machine
