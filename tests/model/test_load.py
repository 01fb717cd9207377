"""Loading what people wrote, when it is right; `test_bad_input.py` has what is wrong."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment import check_configuration, load_catalogue, load_configuration, load_environment
from fedikit.errors import ConfigurationError, Mistake
from fedikit.model import Context, Local, LoginShell, Person, Ssh

Data = dict[str, Any]
Write = Callable[[str, Any], Path]
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

ENVIRONMENT = """
name = "lab"

[hosts.social]
address = "10.77.0.21"
host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxmvDXEmd4pbRRnqlLS0D5oB9c7PSaZ4hUJ4mSH4hYT"
identity_file = "keys/lab"

[hosts.home]
type = "local"
after = "social"

[policies.web]
means = "caddy"
acme_directory = "https://acme.lab:14000/dir"
acme_root = "acme-ca.pem"

[placement]
snac = "social"
hello = ["social", "home"]

[network]
dns = "10.77.0.2"
trust = "acme-ca.pem"
"""


def test_the_sample_is_a_good_configuration(sample: Data, write: Write) -> None:
    configuration = load_configuration(write("configuration.json", sample))

    assert list(configuration.enabled()) == ["cowsay", "hello", "snac"]
    assert configuration.context.domain == "fediversity.test"
    assert configuration.context.initial_user.display_name == "Testy McTestface"


def test_what_is_not_mentioned_is_not_enabled(sample: Data, write: Write) -> None:
    del sample["snac"], sample["hello"]

    assert list(load_configuration(write("configuration.json", sample)).enabled()) == ["cowsay"]


def test_a_configuration_may_also_be_toml(write: Write) -> None:
    text = 'domain = "a.test"\nhello.enable = true\n'
    text += '[initialUser]\ndisplayName = "Testy"\nusername = "test"\nemail = "test@a.test"\n'

    assert list(load_configuration(write("configuration.toml", text)).enabled()) == ["hello"]


def test_the_mark_of_a_windows_editor_does_no_harm(sample: Data, write: Write) -> None:
    marked = write("marked.json", b"\xef\xbb\xbf" + json.dumps(sample).encode())

    assert load_configuration(marked) == load_configuration(write("plain.json", sample))


def test_a_catalogue_of_ones_own_is_all_there_is(sample: Data, write: Write) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write("configuration.json", sample), catalogue={})

    assert {mistake.path for mistake in refused.value.mistakes} == {"cowsay", "hello", "snac"}


def test_data_is_checked_as_a_file_is(sample: Data) -> None:
    configuration, mistakes = check_configuration(sample, load_catalogue())
    assert configuration
    assert (configuration.domain, mistakes) == ("fediversity.test", ())


def test_what_is_wrong_with_data_comes_all_at_once(sample: Data) -> None:
    wrong = {**sample, "domain": "\ud800", "snac": {"titel": "Ours"}}
    assert check_configuration(wrong, load_catalogue()) == (
        None,
        (Mistake("domain", "holds half a character (a lone surrogate)"),),
    )
    configuration, mistakes = check_configuration({**wrong, "domain": 5}, load_catalogue())
    assert configuration is None
    assert [mistake.path for mistake in mistakes] == ["domain", "snac.titel"]
    assert 'did you mean "title"?' in mistakes[1].message


def test_data_may_be_nested_however_deeply(sample: Data) -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    configuration, (mistake,) = check_configuration({**sample, "domain": nested}, load_catalogue())
    assert configuration is None
    assert mistake.message == "is nested too deeply"


def test_an_environment_is_loaded_with_the_certificates_it_names(write: Write, tmp_path: Path) -> None:
    write("acme-ca.pem", PEM)

    environment = load_environment(write("environment.toml", ENVIRONMENT))

    assert environment.policies.web is not None
    assert environment.policies.web.acme_root == PEM
    assert environment.network.trust == PEM
    assert environment.placement == {"snac": ("social",), "hello": ("social", "home")}
    assert isinstance(environment.hosts["home"], Local)
    assert environment.hosts["home"].after == ("social",)


def test_of_keys_an_environment_keeps_the_absolute_place(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("acme-ca.pem", PEM)
    write("environment.toml", ENVIRONMENT)
    monkeypatch.chdir(tmp_path)

    environment = load_environment("environment.toml")

    assert isinstance(environment.hosts["social"], Ssh)
    assert environment.hosts["social"].identity_file == str(tmp_path / "keys/lab")
    assert environment.secrets.master_key == f"file:{tmp_path}/master.key"


def test_the_same_files_elsewhere_come_to_the_same_deployment(sample: Data, tmp_path: Path) -> None:
    digests = set()
    for place in (tmp_path / "here", tmp_path / "there"):
        place.mkdir()
        (place / "acme-ca.pem").write_text(PEM)
        (place / "environment.toml").write_text(ENVIRONMENT)
        (place / "configuration.json").write_text(json.dumps({**sample, "cowsay": {"enable": False}}))
        configuration = load_configuration(place / "configuration.json")
        digests.add(load_environment(place / "environment.toml").deployment(configuration).digest)

    assert len(digests) == 1


# Applications from elsewhere


APPLICATION = """
from fedikit.model import Application, LoginShell, Settings

class FortuneSettings(Settings):
    "A saying for the day."

class Fortune(Application[FortuneSettings]):
    "Puts a saying into the login shell."
    name = "fortune"

    def requests(self, settings, context):
        return {"shell": LoginShell(packages=("fortune-mod",))}

class Unfinished(Application[FortuneSettings]):
    name = "unfinished"

class Demanding(FortuneSettings):
    wish: str

class Needy(Fortune, Application[Demanding]):
    name = "needy"

class Domain(Fortune):
    name = "domain"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Installs a distribution with the module `wisdom` and one entry point, as pip would."""

    def install_with(entry_point: str) -> None:
        (tmp_path / "wisdom.py").write_text(APPLICATION)
        info = tmp_path / "wisdom-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wisdom\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[fedikit.applications]\n{entry_point}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    yield install_with
    sys.modules.pop("wisdom", None)


def test_the_applications_that_come_with_fedikit_come_in_by_the_same_door() -> None:
    assert sorted(load_catalogue()) == ["cowsay", "gotosocial", "hello", "mastodon", "peertube", "pixelfed", "snac"]


def test_an_installed_application_can_be_chosen(install: Callable[[str], None], sample: Data, write: Write) -> None:
    install("fortune = wisdom:Fortune")
    testy = Person.model_validate(sample["initialUser"])

    configuration = load_configuration(write("configuration.json", {**sample, "fortune": {"enable": True}}))
    fortune = configuration.enabled()["fortune"]
    requests = fortune.typed_requests(Context(domain="a.test", initial_user=testy))(configuration.settings("fortune"))

    assert requests == {"shell": LoginShell(packages=("fortune-mod",))}


@pytest.mark.parametrize(
    ("entry_point", "complaint"),
    [
        ("fortune = nowhere:Fortune", "nowhere:Fortune cannot be loaded: ModuleNotFoundError"),
        ("fortune = wisdom:Misfortune", "wisdom:Misfortune cannot be loaded: AttributeError"),
        ("fortune = wisdom:LoginShell", "wisdom:LoginShell is no subclass of fedikit.model.Application"),
        ("unfinished = wisdom:Unfinished", "wisdom:Unfinished lacks requests"),
        ("luck = wisdom:Fortune", 'wisdom:Fortune calls itself "fortune"'),
    ],
)
def test_an_application_that_cannot_be_loaded_is_named(
    install: Callable[[str], None], entry_point: str, complaint: str
) -> None:
    install(entry_point)

    with pytest.raises(ConfigurationError) as refused:
        load_catalogue()

    assert [mistake.path for mistake in refused.value.mistakes] == [entry_point.split(" ")[0]]
    assert complaint in refused.value.mistakes[0].message


@pytest.mark.parametrize(
    ("entry_point", "path", "complaint"),
    [
        ("needy = wisdom:Needy", "needy.wish", "needs a default"),
        ("domain = wisdom:Domain", "domain", "is a key of the configuration itself"),
    ],
)
def test_an_application_that_does_not_fit_into_the_configuration_is_named(
    install: Callable[[str], None], sample: Data, write: Write, entry_point: str, path: str, complaint: str
) -> None:
    install(entry_point)

    with pytest.raises(ConfigurationError, match="the catalogue") as refused:
        load_configuration(write("configuration.json", sample))

    assert [mistake.path for mistake in refused.value.mistakes] == [path]
    assert complaint in refused.value.mistakes[0].message


def test_an_environment_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    """It may name a command that brings the master key."""
    file = tmp_path / "environment.toml"
    file.write_text('name = "home"\n[hosts.here]\ntype = "local"\n')
    for mode, is_fit in ((0o644, True), (0o664, True), (0o666, False), (0o602, False)):
        file.chmod(mode)
        if is_fit:
            assert load_environment(file).name == "home"
        else:
            with pytest.raises(ConfigurationError, match=f"may be written by everybody.*{mode:04o}.*chmod o-w"):
                load_environment(file)
