"""What a backup is proven in: the operator's own deployment, with nothing in it that leads out."""

from fedikit.model import Deployment, File, HostState, Ssh
from fedikit.model.item import content_of, secrets_in
from fedikit_lab.prove_environment import Stage, hosts_of, rehearsal
from tests.model.example import HOST_KEY, configuration, environment

BACKUP = {"repository": "sftp:backup@192.0.2.9:/srv/backups", "known_host": HOST_KEY}
GIVEN = {"given": {"backup/ssh-key": "file:key", "s3/secret-key": "file:other"}}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
S3 = {"means": "s3", "endpoint": "https://s3.example", "region": "eu", "access_key": "GK1"}


def stage(*names: str) -> Stage:
    machines = {name: Ssh(address=f"10.77.1.{number}", host_key=HOST_KEY) for number, name in enumerate(names, 11)}
    return Stage(
        machines=machines, dns="10.77.1.2", authority=PEM, trust=PEM, repository="rest:http://10.77.1.1:99"
    )  # fmt: skip


def proven() -> Deployment:
    mine = environment(policies={"backup": BACKUP, "firewall": {}, "packages": {}}, secrets=GIVEN)
    wanted = configuration("mastodon", "pixelfed")
    names = hosts_of(mine, wanted, "mastodon")
    assert names == ["mastodon", "objects"]
    return rehearsal(mine, wanted, "mastodon", stage(*names))


def everything(state: HostState) -> str:
    return " ".join(f"{item.id} {content_of(item)!r}" for item in state.items)


def test_one_application_and_those_who_serve_it() -> None:
    deployment = proven()
    assert list(deployment.hosts) == ["mastodon", "objects"]
    assert deployment.hosts["mastodon"].applications == ("mastodon",)
    assert "pixelfed" not in everything(deployment.hosts["objects"])
    assert {check.application for check in deployment.checks} == {"mastodon"}


def test_nothing_of_it_leads_out_and_nothing_backs_up() -> None:
    deployment = proven()
    written = " ".join(map(everything, deployment.hosts.values()))
    assert "192.0.2.9" not in written
    assert "10.0.0." not in written
    assert "fedikit-backup-" not in written
    assert "nftables" not in written
    assert "unattended" not in written
    assert "backup-is-young" not in {check.kind for check in deployment.checks}
    assert deployment.network.dns == "10.77.1.2"
    assert {record.address for record in deployment.dns} <= {"10.77.1.11", "10.77.1.12"}


def test_the_secrets_are_the_real_ones_but_for_those_that_open_the_repository() -> None:
    deployment = proven()
    secrets = {ref.name for ref in secrets_in(deployment.hosts["mastodon"].items)}
    assert {"mastodon/backup", "mastodon/database", "mastodon/initial-user"} <= secrets
    assert "backup/ssh-key" not in secrets
    assert deployment.secrets.given.keys() == GIVEN["given"].keys()


def test_the_program_reads_through_the_gate() -> None:
    files = {item.path: item for item in proven().hosts["mastodon"].items if isinstance(item, File)}
    assert '"url": "rest:http://10.77.1.1:99/mastodon"' in str(files["/etc/fedikit/data/mastodon.json"].content)
    assert "/usr/local/lib/fedikit-data/onhost/proving.py" in files


def test_a_bucket_that_somebody_else_keeps_is_kept_by_one_of_the_machines() -> None:
    media = {"media": {"mastodon": "media.example.org"}}
    mine = environment(policies={"backup": BACKUP, "bucket": S3 | media}, secrets=GIVEN)
    wanted = configuration("mastodon")
    names = hosts_of(mine, wanted, "mastodon")
    deployment = rehearsal(mine, wanted, "mastodon", stage(*names))
    assert "s3.example" not in everything(deployment.hosts["mastodon"])
    assert "bucket:mastodon" in [item.id for item in deployment.hosts["mastodon"].items]
