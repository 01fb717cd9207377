"""The documentation is true: what is there is documented, and what is documented is there."""

import ast
import dataclasses
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import click
import pytest
import yaml

import fedikit
import fedikit.model
import fedikit.panel.desk
import fedikit.runbook
import fedikit.runbook.own_process
import fedikit_lab
from fedikit import events
from fedikit.cli import main
from fedikit.environment import load_configuration
from fedikit.errors import FedikitError
from fedikit.remote.bootstrap import OWN_BYTECODE, archive
from fedikit.runbook.arguments import assemble
from fedikit.runbook.notebook import find_runbook
from fedikit.runbook.parameters import RUNBOOKS
from fedikit.runbook.record import RunResult, RunStatus
from tests.pages import PAGES, PROJECT, Block, Page, blocks, code_in, page, rows_of, section_of
from tests.test_layers import ROWS

ARCHITECTURE, APPLICATIONS = page("docs/architecture.md"), page("docs/applications.md")
ITEMS, LAB, OPERATIONS = page("docs/items.md"), page("docs/lab.md"), page("docs/operations.md")
SECURITY = page("docs/security.md")
README = page("README.md")
ALL_CODE = {code for each in PAGES for code in code_in(each.prose)}
SOURCES = sorted([*(PROJECT / "fedikit").rglob("*.py"), *(PROJECT / "lab/fedikit_lab").rglob("*.py")])


def names_in(text: str) -> set[str]:
    """The names that stand in backticks, also those of a call such as `make_plan(deployment)`."""
    return {name for code in code_in(text) for name in re.findall(r"[A-Za-z_][\w.-]*", code)}


# Pages


@pytest.mark.parametrize("each", PAGES, ids=str)
def test_links_lead_somewhere(each: Page) -> None:
    for link in each.links:
        if "://" not in link:
            target, _, anchor = link.partition("#")
            found = Page((each.path.parent / target).resolve()) if target else each
            assert found.path.exists(), link
            assert not anchor or anchor in found.anchors, link


@pytest.mark.parametrize("each", PAGES, ids=str)
def test_no_two_headings_of_a_page_have_the_same_anchor(each: Page) -> None:
    headings = re.findall(r"^#+ .+$", each.prose, re.MULTILINE)
    assert len(headings) == len(each.anchors)


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = {(PROJECT / link.partition("#")[0]).resolve() for link in README.links if "://" not in link}
    assert {each.path for each in PAGES} - {README.path} <= linked


@pytest.mark.parametrize("each", [*PAGES, page("docs/demo.svg")], ids=str)
def test_no_page_names_a_path_of_this_machine(each: Page) -> None:
    assert str(PROJECT) not in each.text
    assert str(Path.home()) + "/" not in each.text


def test_the_pictures_are_of_a_demo_that_went_well() -> None:
    drawing = ElementTree.parse(PROJECT / "docs/demo.svg")
    text = "".join(drawing.getroot().itertext()).replace("\xa0", " ")
    assert "checks held." in text
    assert "✗" not in text
    picture = (PROJECT / "docs/demo.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 60_000


# Blocks of code


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles_and_imports_what_exists(block: Block) -> None:
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fedikit"):
            module = __import__(node.module or "", fromlist=["_"])
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "fedikit":
            assert hasattr(fedikit, node.attr)


@pytest.mark.parametrize("block", [block for block in blocks("json") if not block.tag], ids=str)
def test_json_is_a_configuration(block: Block, tmp_path: Path) -> None:
    (tmp_path / "configuration.json").write_text(block.text)
    load_configuration(tmp_path / "configuration.json")


def test_the_sample_in_the_readme_is_the_sample() -> None:
    (shown,) = (block.text for block in README.blocks if block.language == "json")
    assert shown == (PROJECT / "configuration.sample.json").read_text()


def test_the_sample_of_services_switches_on_the_three_that_the_readme_names() -> None:
    enabled = load_configuration(PROJECT / "configuration.services.json").enabled()
    assert set(enabled) == {"mastodon", "peertube", "pixelfed"}
    assert "configuration.services.json" in README.text


@pytest.mark.parametrize("block", [block for block in blocks("toml") if not block.tag], ids=str)
def test_toml_is_an_environment_that_fits_the_sample(block: Block, tmp_path: Path) -> None:
    (tmp_path / "environment.toml").write_text(block.text)
    environment = fedikit.load_environment(tmp_path / "environment.toml")
    sample = load_configuration(PROJECT / "configuration.sample.json")
    placed = {f"application_{name}" for name in environment.placement}
    off = {name: value.model_copy(update={"enable": False}) for name, value in sample if name not in placed and
           name.startswith("application_")}  # fmt: skip
    assert any(host.items for host in environment.deployment(sample.model_copy(update=off)).hosts.values())


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_is_a_file_of_parameters(block: Block, tmp_path: Path) -> None:
    found = re.search(r"fedikit run (\w+)", block.text)
    assert found
    (tmp_path / "parameters.yaml").write_text(block.text)
    assert not assemble(RUNBOOKS[found[1]], file=tmp_path / "parameters.yaml").is_dry_run


def command_lines() -> Iterator[list[str]]:
    """Every line of a shell block that calls fedikit, in words."""
    for block in blocks("sh"):
        for line in block.text.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["fedikit"]:
                yield words[1 : words.index(">") if ">" in words else None]


def resolved(words: list[str]) -> tuple[click.Command, list[str], list[str]]:
    """The command that words lead to, the words that name it, and those left for it."""
    command: click.Command = main
    path: list[str] = []
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0]) if words else None
        assert found, f"there is no command: fedikit {' '.join([*path, *words])}"
        command, path, words = found, [*path, words[0]], words[1:]
    return command, path, words


@pytest.mark.parametrize("words", list(command_lines()), ids=" ".join)
def test_a_line_of_fedikit_is_one_that_it_takes(words: list[str]) -> None:
    command, path, left = resolved(words)
    context = command.make_context(" ".join(path), list(left))
    if path == ["run"]:
        given = context.params
        assemble(find_runbook(given["runbook"]).model, given["parameters"])


@pytest.mark.parametrize("code", sorted(code for code in ALL_CODE if code.startswith("fedikit ")), ids=str)
def test_a_command_in_the_text_exists(code: str) -> None:
    words = code.split()[1:]
    if words[0].startswith("-") or (words[:1] == ["lab"] and len(words) == 1):
        return
    command, _, left = resolved(words)
    known = {spelling for parameter in command.params for spelling in parameter.opts} | {"--help", "-h"}
    assert {word for word in left if word.startswith("-")} <= known


# The command line


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif command:
            yield " ".join(("fedikit", *path, name)), command


def groups(group: click.Group = main) -> Iterator[click.Group]:
    context = click.Context(group)
    yield group
    for command in [group.get_command(context, name) for name in group.list_commands(context)]:
        if isinstance(command, click.Group):
            yield from groups(command)


@pytest.mark.parametrize("group", list(groups()), ids=lambda group: group.name)
def test_each_verb_has_a_line_in_the_help_that_is_not_cut_off(group: click.Group) -> None:
    shown = click.Context(group, info_name="fedikit", terminal_width=78).get_help().partition("Commands:")[2]
    assert shown
    assert [line for line in shown.splitlines() if line.endswith("...")] == []


def options_in(section: str) -> set[str]:
    """The options that stand in backticks, in tables and sentences; not those of a whole command."""
    codes = [code for code in code_in(section) if code.startswith("-")]
    return {word for code in codes for word in re.findall(r"(?<!\S)--?[a-z][a-z-]*", code)}


SHARED = options_in(OPERATIONS.section("Options that verbs share"))


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_verb_is_documented_with_its_options_and_no_others(name: str, command: click.Command) -> None:
    section = section_of(f"`{name}`")
    known = {spelling for option in command.params if isinstance(option, click.Option) for spelling in option.opts}
    assert options_in(section) <= known
    assert known <= options_in(section) | SHARED


def test_the_page_of_operations_leads_to_each_verb_and_to_each_of_its_pages() -> None:
    index = OPERATIONS.section("What are you about to do?")
    assert {f"fedikit {name}" for row in rows_of(index) for name in code_in(row[2])} == {
        name for name, _ in commands() if not name.startswith("fedikit lab ")
    }
    linked = {(OPERATIONS.path.parent / link.partition("#")[0]) for link in OPERATIONS.links}
    assert set((PROJECT / "docs/operations").iterdir()) <= linked


def test_an_option_that_verbs_share_is_one_of_several_verbs() -> None:
    having = [{spelling for option in command.params for spelling in option.opts} for _, command in commands()]
    assert [option for option in SHARED if sum(option in each for each in having) < 2] == []


def test_every_exit_status_of_a_run_is_documented() -> None:
    rows = {code_in(row[0])[0]: row for row in rows_of(section_of("How a run ended"))}
    assert set(rows) == {status.value for status in RunStatus}
    assert {code for code in "0 1 2 3 4".split() if code not in [row[1] for row in rows.values()]} == set()


def test_every_field_of_a_result_is_documented() -> None:
    kept = {name for name, field in RunResult.model_fields.items() if not field.exclude}
    assert kept <= set(code_in(section_of("A record")))


WHERE_EMPTY = {
    **dict.fromkeys(("consent", "confirm", "agreed", "instead"), "nothing"),
    **dict.fromkeys(("application", "applications"), "all"),
    "at": "the newest",
}
"""What it means that a parameter is empty, where its name does not tell."""


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_every_parameter_of_a_runbook_is_documented_with_its_default(runbook: str) -> None:
    rows = {row[0]: row for row in rows_of(section_of("Runbooks and records"))}
    fields = RUNBOOKS[runbook].model_fields
    assert set(code_in(rows[f"`{runbook}`"][1])) == set(fields)
    for name, field in fields.items():
        shown = {(): "all hosts", None: "the one before", True: "`true`", False: "`false`"}
        default = shown.get(field.default, f"`{field.default}`")
        assert rows[f"`{name}`"][1] == WHERE_EMPTY.get(name, default)


def test_the_tests_that_hold_attacks_are_there() -> None:
    named = [code_in(row[2])[0] for row in rows_of(SECURITY.section("Attacks, and what holds them"))]
    assert len(named) > 15
    for file, _, name in (each.partition("::") for each in named):
        assert f"def {name}(" in (PROJECT / file).read_text(), name


# Names


@pytest.mark.parametrize("room", [fedikit, fedikit_lab, fedikit.model, fedikit.runbook], ids=lambda room: room.__name__)
def test_every_public_name_is_documented(room: Any) -> None:
    documented = {name for each in PAGES for name in names_in(each.prose)}
    assert set(room.__all__) - documented == set()


def all_errors(kind: type[FedikitError] = FedikitError) -> Iterator[type[FedikitError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from all_errors(below)


def test_every_error_is_documented_and_no_other() -> None:
    own = {error.__name__ for error in all_errors() if error.__module__.split(".")[0] in ("fedikit", "fedikit_lab")}
    documented = {code_in(row[0])[0] for row in rows_of(section_of("Errors in Python"))}
    assert documented == own


def test_every_event_is_documented_with_its_fields() -> None:
    documented = {code_in(row[0])[0]: set(code_in(row[2])) for row in rows_of(ARCHITECTURE.section("Events"))}
    own = {kind.__name__: {field.name for field in dataclasses.fields(kind)} for kind in get_args(events.Event)}
    assert documented == own


def test_the_agent_is_about_as_large_as_the_drawing_says() -> None:
    ((sources, compiled),) = re.findall(r"it is sent, about (\d+) kB, or (\d+) kB of bytecode", ARCHITECTURE.text)
    assert int(sources) == pytest.approx(len(archive()) / 1000, rel=0.2)
    assert int(compiled) == pytest.approx(len(archive(OWN_BYTECODE)) / 1000, rel=0.3)  # Pythons differ


def test_every_make_target_is_documented_and_no_other() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    documented = {code_in(row[0])[0] for row in rows_of(README.section("The make targets"))}
    assert documented == {f"make {target}" for target in phony.split()}


def test_every_environment_variable_is_documented_and_no_other() -> None:
    files = [*SOURCES, PROJECT / "tests/conftest.py"]
    own = {name for file in files for name in re.findall(r"FEDIKIT_[A-Z_]*[A-Z]", file.read_text())}
    documented = {code_in(row[0])[0] for row in rows_of(OPERATIONS.section("Environment variables"))}
    assert documented == own


def test_every_dependency_is_explained_and_no_other() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["panel"]]
    own = {re.split(r"[<>=]", requirement)[0] for requirement in wanted}
    assert {code_in(row[0])[0] for row in rows_of(ARCHITECTURE.section("Dependencies"))} == own


def test_conda_users_get_the_same_python() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]
    assert f"python{project['requires-python']}" in wanted
    assert {"pip": ["--editable .[dev]", "--editable ./lab[client]"]} in wanted


def test_the_rooms_are_those_of_the_layers() -> None:
    documented = [set(code_in(row[1])) for row in rows_of(ARCHITECTURE.section("Rooms"))]
    assert documented == ROWS


def test_the_changelog_knows_this_version() -> None:
    assert f"## {fedikit.__version__}\n" in page("CHANGELOG.md").text


# Messages


def texts_in_the_code() -> set[str]:
    """All text that the code may say, without what is filled in."""
    trees = [ast.parse(file.read_text()) for file in SOURCES]
    return {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def messages() -> list[str]:
    rows = rows_of(section_of("What to do when")) + rows_of(LAB.section("When something is wrong"))
    return [code for row in rows for code in code_in(row[0])]


@pytest.fixture(scope="module")
def said() -> set[str]:
    return texts_in_the_code()


@pytest.mark.parametrize("message", messages())
def test_a_documented_message_is_one_that_the_code_says(message: str, said: set[str]) -> None:
    fragments = [fragment.strip() for fragment in message.split("…")]
    for fragment in fragments:
        assert len(fragment) < 4 or any(fragment in text for text in said), fragment
