"""What an export holds of each application of the catalogue: its parts, without a policy of backups, its secrets."""

import re
import shlex

import pytest
from pydantic import SecretBytes, SecretStr

from fedikit.data.export.belongings import belongings, secret_files
from fedikit.data.export.parts import file_of
from fedikit.data.export.readme import readme
from fedikit.data.export.wanted import Wanted, first_number, spec_of, wanted_of
from fedikit.model.data import BucketPart, MariaPart, PostgresPart, VolumePart
from fedikit.model.deployment import Deployment
from fedikit.model.item import secrets_in
from fedikit.policies.numbers import first_number as number_of_family
from fedikit.results.export import ExportedPart, Manifest
from fedikit.secrets import MasterKey, Vault
from fedikit.secrets import secrets_of as all_secrets_of
from tests.model.example import configuration, environment

ALL = ("gotosocial", "mastodon", "peertube", "pixelfed", "snac")
PLACES = {"gotosocial": "spare", "snac": "six"}


def deployed(*applications: str, **more: object) -> Deployment:
    placement = {**PLACES, **more.pop("placement", {})}  # type: ignore[dict-item]
    return environment(placement=placement, **more).deployment(configuration(*applications))


def of(application: str) -> tuple[Wanted, Vault]:
    deployment = deployed(application)
    (wanted,) = wanted_of(deployment, [application])
    given = {secret.name: SecretStr("given") for secret in all_secrets_of(deployment) if secret.given}
    return wanted, Vault(MasterKey(SecretBytes(b"k" * 32), is_marked=True), given)


def manifest(wanted: Wanted) -> Manifest:
    parts = tuple(
        ExportedPart(
            id=part.id, kind=part.kind, file=file_of(part), bytes=1, sha256="0" * 64, taken="2026-11-27T10:00:00Z"
        )
        for part in wanted.parts
    )
    return Manifest(
        deployment="lab", application=wanted.application, host=wanted.host, made_by="fedikit", parts=parts,
        images=wanted.data.images,
    )  # fmt: skip


@pytest.mark.parametrize("application", ALL)
def test_every_secret_that_can_never_change_is_in_it(application: str) -> None:
    wanted, vault = of(application)
    permanent = {secret for secret in secrets_in(wanted.state.items) if secret.permanent}
    assert permanent or application in ("gotosocial", "snac")
    texts = dict(belongings(wanted, vault))
    kept = {secret: texts[f"secrets/{name}"] for name, secret in secret_files(wanted)}
    assert {secret: vault.value(secret) for secret in permanent}.items() <= kept.items()


@pytest.mark.parametrize("application", ALL)
def test_nothing_in_it_has_the_name_of_something_else(application: str) -> None:
    wanted, vault = of(application)
    names = [name for name, _ in belongings(wanted, vault)] + [file_of(part) for part in wanted.parts]
    assert len(names) == len(set(names))
    assert not any(name.startswith("/") or ".." in name for name in names)


@pytest.mark.parametrize("application", ALL)
def test_nothing_of_another_application_is_in_it(application: str) -> None:
    wanted, _ = of(application)
    assert {name.split("/")[0] for name, _ in secret_files(wanted)} <= {application}


@pytest.mark.parametrize("application", ALL)
def test_the_readme_has_commands_for_every_part(application: str) -> None:
    wanted, _ = of(application)
    text = readme(wanted, manifest(wanted))
    blocks = [piece.partition("```")[0] for piece in text.split("```sh\n")[1:]]
    for part in wanted.parts:
        source = f"objects-{part.name}" if isinstance(part, BucketPart) else file_of(part)
        assert any(source in block for block in blocks), part.id
    assert all(shlex.split(block.replace("'", "").replace('"', "")) for block in blocks)
    assert not re.search(r"\n\n\n", text)
    assert all(image in text for image in wanted.data.images.values())


def test_what_opens_backups_and_the_providers_garage_are_no_secrets_of_the_application() -> None:
    """All on one host, so that Garage is there for nobody else."""
    where = {"placement": {"mastodon": "objects"}}
    backed_up = {"backup": {"repository": "s3:https://s3.example.org/backups", "access_key": "key"}}
    secrets = {"given": {"backup/s3-secret": "file:s3"}}
    for deployment in (
        deployed("mastodon", **where),
        deployed("mastodon", **where, policies=backed_up, secrets=secrets),
    ):
        (wanted,) = wanted_of(deployment, [])
        assert {name.split("/")[0] for name, _ in secret_files(wanted)} == {"mastodon"}
        assert "mastodon/backup" not in dict(secret_files(wanted))
        vault = Vault(MasterKey(SecretBytes(b"k" * 32), is_marked=True), {})
        found = dict(belongings(wanted, vault))
        assert not [name for name in found if "fedikit-" in name or "/data/" in name]
        foreign = [
            secret for secret in all_secrets_of(deployment) if secret.name in ("garage/rpc", "garage/admin-token")
        ]
        assert len(foreign) == 2
        assert not [secret for secret in foreign if vault.value(secret) in "".join(found.values())]


def test_the_variables_are_those_that_the_containers_get() -> None:
    wanted, vault = of("mastodon")
    variables = dict(line.split("=", 1) for line in dict(belongings(wanted, vault))["environment.env"].splitlines())
    assert variables["LOCAL_DOMAIN"]
    assert len(variables["ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY"]) == 32
    assert "DB_PASS" in variables


def test_no_policy_is_needed_and_its_parts_are_the_same() -> None:
    with_policy = deployed(*ALL, policies={"backup": {"repository": "/mnt/backup"}})
    without = deployed(*ALL)
    assert {host: state.data for host, state in with_policy.hosts.items()} == {
        host: state.data for host, state in without.hosts.items()
    }
    assert sum(len(state.data) for state in without.hosts.values()) == len(ALL)


def test_what_is_told_of_data_is_no_part_of_what_is_wanted() -> None:
    deployment = deployed(*ALL)
    hosts = {name: state.model_copy(update={"data": {}}) for name, state in deployment.hosts.items()}
    assert deployment.model_copy(update={"hosts": hosts}).digest == deployment.digest


def test_a_rotated_password_is_the_one_that_opens_the_part() -> None:
    deployment = deployed("mastodon", secrets={"versions": {"mastodon/database": 2}})
    (wanted,) = wanted_of(deployment, [])
    (database,) = (part for part in wanted.parts if isinstance(part, PostgresPart))
    assert database.password.version == 2


def test_databases_come_before_files_and_these_before_objects() -> None:
    wanted, _ = of("pixelfed")
    assert [type(part) for part in wanted.parts] == [MariaPart, VolumePart, BucketPart]


def test_a_container_sees_its_own_numbers() -> None:
    wanted, vault = of("pixelfed")
    (volume,) = (part for part in wanted.parts if isinstance(part, VolumePart))
    assert first_number(volume, wanted.state) == number_of_family("pixelfed")
    wanted, vault = of("snac")
    (folder,) = wanted.parts
    assert spec_of(folder, wanted, vault)["first"] == 0


def test_no_host_is_told_a_secret_among_its_parts() -> None:
    for application in ALL:
        wanted, vault = of(application)
        told = str([spec_of(part, wanted, vault) for part in wanted.parts])
        assert not [name for name, secret in secret_files(wanted)
                    if not secret.format.endswith("key-id") and vault.value(secret) in told]  # fmt: skip


@pytest.mark.parametrize("application", ALL)
def test_nothing_that_came_from_elsewhere_has_root_do_what_it_says(application: str) -> None:
    """A dump holds statements and commands for its client, an archive programs: whoever is left may have made them."""
    wanted, _ = of(application)
    commands = readme(wanted, manifest(wanted)).replace("\\\n", "").splitlines()
    for line in commands:
        if "pg_restore --exit-on-error" in line:
            assert "--username=" in line
            assert "runuser" not in line
        if line.startswith("gzip --decompress"):
            assert "mariadb --sandbox --binary-mode --skip-local-infile --user=" in line
    unpacked = [number for number, line in enumerate(commands) if line.startswith("tar --extract")]
    for number in unpacked:
        assert "-type b,c -delete" in commands[number + 1]
        assert "-perm /6000 -exec chmod a-s" in commands[number + 2]
