"""The lists of Python packages with their hashes are whole: all that fedikit needs, in versions that it takes."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1]
PROVIDERS, CONTRIBUTORS = "requirements.lock", "requirements-dev.lock"
PINNED = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>.+?))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
PLACES = [(version, machine) for version in ("3.11", "3.12", "3.13") for machine in ("x86_64", "aarch64")]


def lines(name: str) -> list[str]:
    return (PROJECT / name).read_text().splitlines()


def locked(name: str, python: str, machine: str) -> dict[str, str]:
    """The versions that are installed with this Python on such a machine."""
    place = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    pins = [pin for line in lines(name) if (pin := PINNED.match(line))]
    found = [
        (pin["name"], pin["version"]) for pin in pins if not pin["marker"] or Marker(pin["marker"]).evaluate(place)
    ]
    assert len(found) == len(dict(found))
    return dict(found)


def needed(*, working_on_it: bool) -> list[Requirement]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["panel"]]
    if working_on_it:
        wanted = [*wanted, *project["project"]["optional-dependencies"]["dev"], *project["build-system"]["requires"]]
        wanted += needed_by_the_lab()
    return [Requirement(text) for text in wanted]


def needed_by_the_lab() -> list[str]:
    project = tomllib.loads((PROJECT / "lab/pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["client"]]
    return [text for text in [*wanted, *project["build-system"]["requires"]] if not text.startswith("fedikit==")]


@pytest.mark.parametrize(("python", "machine"), PLACES)
@pytest.mark.parametrize(("name", "working_on_it"), [(PROVIDERS, False), (CONTRIBUTORS, True)])
def test_all_that_is_needed_is_listed_in_a_version_that_is_taken(
    name: str, working_on_it: bool, python: str, machine: str
) -> None:
    versions = locked(name, python, machine)
    for requirement in needed(working_on_it=working_on_it):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize(("python", "machine"), PLACES)
def test_providers_and_contributors_have_the_same_versions(python: str, machine: str) -> None:
    assert locked(PROVIDERS, python, machine).items() <= locked(CONTRIBUTORS, python, machine).items()


@pytest.mark.parametrize("name", [PROVIDERS, CONTRIBUTORS])
def test_each_package_has_hashes_and_none_says_where_from(name: str) -> None:
    strange = [line for line in lines(name) if not PINNED.match(line) and not HASH.match(line)]
    assert strange == []
    pinned_before = [bool(PINNED.match(line)) for line in lines(name)]
    assert (True, True) not in set(pairwise(pinned_before))
    assert not pinned_before[-1]
