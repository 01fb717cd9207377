"""From words and files to checked parameters."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, SecretStr

from fedikit.errors import ConfigurationError, FedikitError
from fedikit.runbook.arguments import assemble, check_files, check_parameters, find_file
from fedikit.runbook.parameters import (
    DeployParameters,
    RollbackParameters,
    RunbookParameters,
    parameters_model,
)


@pytest.mark.parametrize(
    ("word", "field", "value"),
    [
        ("dry_run=false", "dry_run", False),
        ("dry_run=False", "dry_run", False),
        ("dry_run=no", "dry_run", False),
        ("dry_run=true", "dry_run", True),
        ("purge=yes", "purge", True),
        ("limit=alpha,beta", "limit", ("alpha", "beta")),
        ('limit=["alpha", "beta"]', "limit", ("alpha", "beta")),
        ("limit=no", "limit", ("no",)),
        ("limit=", "limit", ()),
        ("drift=keep", "drift", "keep"),
        ("configuration=a=b.json", "configuration", "a=b.json"),
        ("configuration=1e3", "configuration", "1e3"),
    ],
)
def test_a_word_is_read_by_the_type_of_its_field(word: str, field: str, value: object) -> None:
    assert getattr(assemble(DeployParameters, [word]), field) == value


@pytest.mark.parametrize(("word", "value"), [("to=010", 10), ("to=none", None), ("to=", None), ("to=7", 7)])
def test_a_number_is_decimal_and_may_be_absent(word: str, value: object) -> None:
    assert assemble(RollbackParameters, [word]).to == value


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("dry_run=maybe", "dry_run: "),
        ("dry_run=1", "dry_run: "),
        ("dry_runn=false", 'did you mean "dry_run"'),
        ("password=x", "password: is not known"),
        ("drift=destroy", "drift: "),
        ("limit=Alpha Beta", "limit.0: "),
        ("purge", "purge: write it as name=value"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_path(word: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint.replace(".", r"\.")) as caught:
        assemble(DeployParameters, [word])
    assert caught.value.exit_status == 2


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        assemble(DeployParameters, ["dry_run=perhaps", "nonsense=1", "limit=-"])
    assert [mistake.path for mistake in caught.value.mistakes] == ["dry_run", "limit.0", "nonsense"]


def test_nothing_is_changed_unless_it_is_said() -> None:
    assert assemble(DeployParameters).dry_run is True


YAML = "dry_run: no\nlimit: [no, on, 0x10]\npurge: yes\nconfiguration: 12:30:00\n"
JSON = '{"dry_run": false, "limit": ["no", "on", "0x10"], "purge": true, "configuration": "12:30:00"}'


@pytest.mark.parametrize(("name", "text"), [("p.yaml", YAML), ("p.json", JSON)])
def test_a_file_of_either_kind_says_the_same(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    expected = DeployParameters(dry_run=False, limit=("no", "on", "0x10"), purge=True, configuration="12:30:00")
    assert assemble(DeployParameters, file=file) == expected


def test_a_word_goes_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("purge: true\nlimit: [alpha]\n")
    parameters = assemble(DeployParameters, ["limit=beta"], file=file)
    assert (parameters.purge, parameters.limit, parameters.drift) == (True, ("beta",), "restore")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("p.yaml", "- a\n", "map names"),
        ("p.yaml", "a: [", "line 1, column 5: is not YAML"),
        ("p.json", "{", "line 1, column 2: is not JSON"),
        ("p.json", '{"dry_run": 0}', "dry_run: "),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        assemble(DeployParameters, file=file)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("p.yaml", "dry_run: true\npurge: no\ndry_run: false\n", "dry_run"),
        ("p.yaml", 'dry_run: true\n"dry_run": false\n', "dry_run"),
        ("p.yaml", "limit: [{a: 1, b: 2, a: 3}]\n", "limit.0.a"),
        ("p.yml", "{dry_run: true, dry_run: false}", "dry_run"),
        ("p.yaml", "a: &here {b: 1, b: 2}\nlimit: [*here]\n", "a.b"),
        ("p.json", '{"dry_run": true, "dry_run": false}', "dry_run"),
        ("p.json", '{"limit": [{"a": 1, "a": 2}]}', "limit.0.a"),
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_its_path(tmp_path: Path, name: str, text: str, place: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        assemble(DeployParameters, file=file)
    assert f"{place}: is there more than once" in [str(mistake) for mistake in caught.value.mistakes]


ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{here}: &{here} [{', '.join([f'*{before}'] * 9)}]\n" for before, here in pairwise("abcdefghijkl")
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ALIASES, "comes to more than 10000 values"),
        ("a: &a [*a]\n", "recursive"),
        ("limit: &l {b: *l}\n", "recursive"),
        ("base: &base {dry_run: false}\n<<: *base\n", "<<: is not known"),
        ("<<: {dry_run: false}\n", "<<: is not known"),
        ("dry_run: true\n---\ndry_run: false\n", "is not YAML"),
        ("dry_run: !!python/object/apply:os.getcwd []\n", "dry_run: "),
        ('dry_run: true\n"dry\\u005frun": false\n', "dry_run: is there more than once"),
        ("limit: " + "[" * 3000 + "]" * 3000, "is nested too deeply"),
    ],
)
def test_what_yaml_could_hide_a_parameter_in_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        assemble(DeployParameters, file=file)


def test_what_is_repeated_by_name_is_taken_as_it_reads(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("limit: &some [alpha]\nconsent: *some\n")
    assert assemble(DeployParameters, file=file).consent == ("alpha",)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        assemble(DeployParameters, file=tmp_path / "absent.yaml")


def test_values_are_not_bent_to_their_types() -> None:
    with pytest.raises(ConfigurationError, match="dry_run"):
        check_parameters(DeployParameters, {"dry_run": "false"})


def test_what_was_put_in_is_not_repeated_where_it_may_be_a_secret() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_parameters(DeployParameters, {"password": "hunter2hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("annotation", [SecretStr, SecretStr | None, tuple[Annotated[SecretStr, Field()], ...]])
def test_a_parameter_that_is_a_secret_is_refused_at_its_definition(annotation: object) -> None:
    namespace = {"__annotations__": {"password": annotation}, "__module__": __name__}
    with pytest.raises(TypeError, match="reference"):
        type("Leaky", (RunbookParameters,), namespace)


@pytest.mark.parametrize("name", ["nowhere", "nowhere:Nothing", "pathlib:Path", "fedikit.errors:Nothing"])
def test_what_is_no_model_of_parameters_is_refused(name: str) -> None:
    with pytest.raises(FedikitError):
        parameters_model(name)


def test_files_are_found_from_the_runbooks_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "c.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert find_file("c.json").resolve() == tmp_path / "c.json"
    monkeypatch.chdir(tmp_path / "runbooks")
    assert find_file("c.json").resolve() == tmp_path / "c.json"
    (tmp_path / "runbooks" / "c.json").write_text("{}")
    assert find_file("c.json").resolve() == tmp_path / "runbooks" / "c.json"


def test_files_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"environment: no such file: \.lab/environment\.toml"):
        check_files(DeployParameters())
