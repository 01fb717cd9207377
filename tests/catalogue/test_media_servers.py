"""What Mastodon, PeerTube and Pixelfed have in common, as a provider with Garage sees it."""

from collections import Counter

import pytest
from pydantic import SecretBytes, ValidationError

from fedikit.environment import Environment
from fedikit.model import Deployment, File, Image, Job, SecretText
from fedikit.secrets import MasterKey, Vault, secrets_of
from tests.model.example import (
    MEDIA_SERVERS,
    configuration,
    environment,
    ids,
    only,
    refusal,
    variables,
    written_variables,
)

MAIL = {"mail": {"host": "smtp.example.org", "user": "fedi", "port": 465, "encryption": "tls"}}


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return environment(MAIL).deployment(configuration(*MEDIA_SERVERS))


def test_the_same_input_gives_the_same_deployment(deployment: Deployment) -> None:
    written = environment(MAIL).model_dump(by_alias=True)

    again = Environment.model_validate(written).deployment(configuration(*reversed(MEDIA_SERVERS)))

    assert again == deployment
    assert again.digest == deployment.digest
    assert Deployment.model_validate_json(deployment.model_dump_json()) == deployment


def test_no_secret_is_in_the_deployment_as_text(deployment: Deployment) -> None:
    vault = Vault(MasterKey(SecretBytes(bytes(32))), {})
    refs = secrets_of(deployment)
    dump = deployment.model_dump_json()

    assert len(refs) > 20
    assert [ref.name for ref in refs if not ref.given and vault.value(ref) in dump] == []
    assert {ref.name for ref in refs if ref.given} == {"mail/password"}


def test_no_command_line_holds_a_secret(deployment: Deployment) -> None:
    jobs = [item for host in deployment.hosts.values() for item in host.items if isinstance(item, Job)]

    assert {job.name for job in jobs if isinstance(job.stdin, SecretText)} == {
        "mastodon owner",
        "peertube initial user",
        "pixelfed owner password",
    }
    assert all(isinstance(word, str) for job in jobs for word in (*job.run, *job.check))


@pytest.mark.parametrize("application", MEDIA_SERVERS)
def test_variables_stand_one_a_line_without_quotes(application: str, deployment: Deployment) -> None:
    written = written_variables(deployment.hosts[application], application)
    values = dict(line.split("=", 1) for line in written.removesuffix("\n").split("\n"))

    assert len(values) == written.count("\n")
    json_values = {"PEERTUBE_TRUST_PROXY"}
    assert [name for name, value in values.items() if set(value) & set("\"'") and name not in json_values] == []
    names = {f"/etc/fedikit/{application}.env", f"/etc/fedikit/{application}.secrets.env"}
    modes = {item.path: item.mode for item in deployment.hosts[application].items if isinstance(item, File)}
    assert {modes[name] for name in names} == {"0600"}


def test_every_mistake_comes_at_once() -> None:
    bare = environment().model_copy(update={"placement": {}})
    bare = bare.model_copy(update={"policies": type(bare.policies)()})

    assert refusal(bare, configuration(*MEDIA_SERVERS)) == [
        *(
            (f"placement.{name}", "is missing: the application is enabled, but placed on no host")
            for name in MEDIA_SERVERS
        ),
        *(("policies.bucket", f"is missing, but {name} asks for it") for name in MEDIA_SERVERS),
        *(("policies.web", f"is missing, but {name} asks for it") for name in MEDIA_SERVERS),
    ]


def test_all_three_fit_on_one_host() -> None:
    everything = only(dict.fromkeys(MEDIA_SERVERS, "objects")).deployment(configuration(*MEDIA_SERVERS))

    there = Counter(ids(everything.hosts["objects"]))
    assert there.most_common(1)[0][1] == 1
    assert {id for id in there if id.startswith("database:")} == {
        "database:postgresql/mastodon",
        "database:postgresql/peertube",
        "database:mariadb/pixelfed",
    }


def test_every_image_has_a_version_in_its_name(deployment: Deployment) -> None:
    images = [item for host in deployment.hosts.values() for item in host.items if isinstance(item, Image)]

    assert {image.reference for image in images} == {
        "docker.io/chocobozzz/peertube:v8.3.1",
        "docker.io/dxflrs/garage:v2.5.0",
        "ghcr.io/mastodon/mastodon-streaming:v4.7.4",
        "ghcr.io/mastodon/mastodon:v4.7.4",
        "ghcr.io/pixelfed/pixelfed:v0.14.4",
    }


SENDING = {
    "mastodon": {
        "none": {"SMTP_ENABLE_STARTTLS": "never", "SMTP_TLS": "false"},
        "starttls": {"SMTP_ENABLE_STARTTLS": "always", "SMTP_TLS": "false"},
        "tls": {"SMTP_ENABLE_STARTTLS": "never", "SMTP_TLS": "true"},
    },
    "peertube": {
        "none": {"PEERTUBE_SMTP_TLS": "false", "PEERTUBE_SMTP_DISABLE_STARTTLS": "true"},
        "starttls": {"PEERTUBE_SMTP_TLS": "false", "PEERTUBE_SMTP_DISABLE_STARTTLS": "false"},
        "tls": {"PEERTUBE_SMTP_TLS": "true"},
    },
    "pixelfed": {
        "none": {"MAIL_SCHEME": "smtp", "MAIL_AUTO_TLS": "false"},
        "starttls": {"MAIL_SCHEME": "smtp", "MAIL_AUTO_TLS": "true"},
        "tls": {"MAIL_SCHEME": "smtps", "MAIL_AUTO_TLS": "true"},
    },
}
RELAY = {
    "mastodon": {"SMTP_DELIVERY_METHOD": "smtp", "SMTP_SERVER": "smtp.example.org", "SMTP_LOGIN": "fedi"},
    "peertube": {"PEERTUBE_SMTP_HOSTNAME": "smtp.example.org", "PEERTUBE_SMTP_USERNAME": "fedi"},
    "pixelfed": {"MAIL_MAILER": "smtp", "MAIL_HOST": "smtp.example.org", "MAIL_USERNAME": "fedi"},
}
OFF = {
    "mastodon": {"SMTP_DELIVERY_METHOD": "test", "SMTP_SERVER": "", "SMTP_PASSWORD": ""},
    "peertube": {"PEERTUBE_SMTP_HOSTNAME": "", "PEERTUBE_SMTP_PASSWORD": ""},
    "pixelfed": {"MAIL_DRIVER": "log", "MAIL_HOST": "", "MAIL_PASSWORD": ""},
}


@pytest.mark.parametrize("application", MEDIA_SERVERS)
@pytest.mark.parametrize("encryption", ["none", "starttls", "tls"])
def test_mail_goes_as_the_provider_says(application: str, encryption: str) -> None:
    relay = {"mail": MAIL["mail"] | {"encryption": encryption}}

    told = variables(environment(relay).deployment(configuration(application)), application)

    assert (SENDING[application][encryption] | RELAY[application]).items() <= told.items()
    assert "<mail/password password 1>" in told.values()


@pytest.mark.parametrize("application", MEDIA_SERVERS)
def test_without_a_relay_mail_is_off(application: str) -> None:
    told = variables(environment().deployment(configuration(application)), application)

    assert {name: told.get(name, "") for name in OFF[application]} == OFF[application]


@pytest.mark.parametrize("application", ["peertube", "pixelfed"])
@pytest.mark.parametrize("name", ["title", "description"])
@pytest.mark.parametrize("text", ["one\ntwo", "a\x00b", "a\x1b[2Jb", "a\x9bb", "a\u202eb", "a\u2028b"])
def test_a_text_that_is_not_one_line_is_refused(application: str, name: str, text: str) -> None:
    with pytest.raises(ValidationError, match=name):
        configuration(application, **{application: {name: text}})
