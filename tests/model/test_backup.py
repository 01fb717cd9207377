"""Backups: what of each application is one, how its host comes by it, and what a provider may miswrite."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment import Environment, load_catalogue
from fedikit.model import (
    AfterRestore,
    BackupIsYoung,
    Bucket,
    Container,
    Database,
    Deployment,
    Directory,
    File,
    HostItems,
    HostState,
    ObjectBucket,
    PostgresDatabase,
    SecretText,
    SystemService,
    Unit,
    Volume,
)
from fedikit.model.data import SETTINGS
from fedikit.model.item import content_of
from fedikit.policies.backup_units import PROGRAM
from fedikit.policies.repository import known_hosts
from fedikit.policies.scripts import data_program
from fedikit.secrets import secrets_of
from tests.model.example import HOST_KEY, MEDIA_SERVERS, configuration, environment, files, ids, probing, refusal

LOCAL = {"repository": "/mnt/backup"}
SFTP = {"repository": "sftp:backup@192.0.2.9:/srv/backups", "known_host": HOST_KEY}
ALL = ("gotosocial", "mastodon", "peertube", "pixelfed", "snac")
NO_PART = {
    "gotosocial": {"/srv/gotosocial-cache"},
    "mastodon": {"/var/lib/redis/mastodon"},
    "peertube": {"/var/lib/redis/peertube"},
    "pixelfed": {"/var/lib/redis/pixelfed"},
}
"""What may be lost: caches, and programs that are compiled again."""
LEFT_OUT = {
    "bucket:mastodon": ["cache/"],
    "volume:/srv/peertube-data": ["cache", "logs", "tmp"],
    "volume:/srv/pixelfed-storage": ["framework/cache", "framework/sessions", "framework/views", "logs"],
}
"""All that is left out of parts. The software makes it anew, or asks other servers for it."""


def backing_up(policy: dict[str, Any] | None = None, **more: Any) -> Environment:
    """The example's provider, with a policy of backups; all that is not placed there is on the spare host."""
    policies = {"backup": LOCAL if policy is None else policy, **more.pop("policies", {})}
    placement = {"gotosocial": "spare", "snac": "six", **more.pop("placement", {})}
    return environment(policies=policies, placement=placement, **more)


def deployed(*applications: str, policy: dict[str, Any] | None = None, **more: Any) -> Deployment:
    return backing_up(policy, **more).deployment(configuration(*applications))


def settings(state: HostState, application: str) -> dict[str, Any]:
    """What the program reads on a host."""
    found: dict[str, Any] = json.loads(files(state)[f"{SETTINGS}/{application}.json"])
    return found


def parts(state: HostState, application: str) -> dict[str, dict[str, Any]]:
    return {part["id"]: part for part in settings(state, application)["parts"]}


def of_probe(*hosts: str, policy: dict[str, Any] | None = None, **requests: Any) -> list[dict[str, Any]]:
    """What the program reads of an application that asks for this, on each of some hosts, else on one."""
    placed = backing_up(policy).model_copy(update={"placement": {"probe": hosts or ("spare",)}})
    made = placed.deployment(probing(**requests))
    return [settings(made.hosts[host], "probe") for host in hosts or ("spare",)]


# What is a part


@pytest.mark.parametrize("application", ALL)
def test_all_that_an_application_keeps_is_a_part_or_may_be_lost(application: str) -> None:
    """Whoever adds a volume to a recipe, or asks for a database or a bucket in another way, comes by here."""
    made = deployed(application)
    (host,) = [name for name, state in made.hosts.items() if application in state.applications]
    kept = {path for state in made.hosts.values() for item in state.items for path in bearing(item)}
    kept -= {"/srv/garage-meta", "/srv/garage-data"}  # a bucket is a part, wherever it is kept
    backed_up = {identity.partition(":")[2] for identity in parts(made.hosts[host], application)}

    assert backed_up == kept - NO_PART.get(application, set())
    assert NO_PART.get(application, set()) <= kept


def bearing(item: Any) -> list[str]:
    """The name of what bears data."""
    match item:
        case Directory(data=True):
            return [item.path]
        case Database() | Bucket():
            return [item.name]
        case _:
            return []


def test_every_application_of_the_catalogue_that_keeps_anything_is_looked_at() -> None:
    names = sorted(load_catalogue())
    placement = dict.fromkeys(names, "spare")
    made = backing_up(placement=placement).deployment(configuration(*names))
    assert {check.application for check in made.checks if isinstance(check, BackupIsYoung)} == set(ALL)


def test_what_is_left_out_of_a_part_is_named_and_no_more() -> None:
    made = deployed(*ALL)
    hosts = {name: host for host, state in made.hosts.items() for name in state.applications}
    found = {
        identity: part["leave_out"]
        for name in ALL
        for identity, part in parts(made.hosts[hosts[name]], name).items()
        if part.get("leave_out")
    }
    assert found == LEFT_OUT


def test_a_database_is_told_of_as_the_application_reaches_it() -> None:
    made = deployed("mastodon", policies={"postgresql": {"host": "objects"}})
    where = {"host": "10.0.0.2", "port": 5432, "user": "mastodon", "name": "mastodon"}
    wanted = {"id": "postgresql:mastodon", "kind": "postgresql", **where, "encrypted": True, "extensions": []}
    assert parts(made.hosts["mastodon"], "mastodon")["postgresql:mastodon"] == wanted


def test_a_bucket_at_a_provider_keeps_its_name_among_the_parts() -> None:
    where = {"endpoint": "https://s3.example.org", "region": "eu"}
    s3 = {"means": "s3", **where, "access_key": "AK", "prefix": "lab-", "media": {"lab-mastodon": "media.example.org"}}
    made = deployed("mastodon", policies={"bucket": s3})
    wanted = {"id": "bucket:mastodon", "kind": "bucket", **where, "bucket": "lab-mastodon", "key_id": "AK"}
    wanted |= {"leave_out": ["cache/"]}
    assert parts(made.hosts["mastodon"], "mastodon")["bucket:mastodon"] == wanted
    assert files(made.hosts["mastodon"])[f"{SETTINGS}/mastodon/bucket-secret"] == "<s3/secret-key password 1>"


def test_a_key_that_is_derived_is_no_setting_but_a_secret_file() -> None:
    made = deployed("mastodon")
    assert parts(made.hosts["mastodon"], "mastodon")["bucket:mastodon"]["key_id"] == ""
    held = files(made.hosts["mastodon"])
    assert held[f"{SETTINGS}/mastodon/bucket-key-id"] == "<mastodon/bucket-key garage-key-id 1>"
    assert held[f"{SETTINGS}/mastodon/bucket-secret"] == "<mastodon/bucket-key garage-key-secret 1>"


def test_volumes_and_directories_of_all_kinds_of_requests_are_parts_and_caches_are_none() -> None:
    kept, cache = Volume(name="probe-kept", mount="/kept"), Volume(name="probe-cache", mount="/cache", is_cache=True)
    (found,) = of_probe(
        items=HostItems(items=(Directory(path="/srv/own", data=True), Directory(path="/srv/empty"))),
        service=SystemService(
            packages=("probed",), unit="probed.service", directories=(Directory(path="/srv/served", data=True),)
        ),
        container=Container(name="probe", image="docker.io/example/probe:v1", volumes=(kept, cache)),
    )
    names = ("own", "served", "probe-kept")
    assert [part["id"] for part in found["parts"]] == [f"volume:/srv/{name}" for name in names]
    assert found["images"] == {"probe": "docker.io/example/probe:v1"}


def test_a_volume_of_two_containers_is_one_part() -> None:
    shared = Volume(name="probe-shared", mount="/shared")
    image = "docker.io/example/probe:v1"
    (found,) = of_probe(
        one=Container(name="probe-one", image=image, volumes=(shared,)),
        two=Container(name="probe-two", image=image, volumes=(shared.model_copy(update={"mount": "/elsewhere"}),)),
    )
    assert [part["id"] for part in found["parts"]] == ["volume:/srv/probe-shared"]


def test_units_are_stopped_in_the_reverse_of_the_order_in_which_they_were_made() -> None:
    made = deployed("pixelfed")
    stopped = [f"pixelfed-{name}.service" for name in ("scheduler", "worker", "web")]
    assert settings(made.hosts["pixelfed"], "pixelfed")["stop"] == stopped

    own = HostItems(items=(Directory(path="/srv/own", data=True), Unit(name="own.timer")))
    served = SystemService(packages=("probed",), unit="probed.service")
    (found,) = of_probe(own=own, served=served)
    assert found["stop"] == ["probed.service", "own.timer"]


def test_what_a_backup_leaves_out_is_made_anew_in_order() -> None:
    made = deployed("mastodon")
    commands = settings(made.hosts["mastodon"], "mastodon")["after"]
    assert [command["name"] for command in commands] == ["cache", "later feeds", "feeds"]
    run = ["podman", "exec", "mastodon-web", "bin/tootctl", "feeds", "build"]
    assert commands[-1] == {"name": "feeds", "run": run, "deadline": 6 * 3600}


def test_an_application_without_data_has_no_backup_and_no_check_of_it() -> None:
    made = backing_up(placement={"hello": "spare"}).deployment(configuration("hello"))
    assert not [identity for identity in ids(made.hosts["spare"]) if "backup" in identity or "restic" in identity]
    assert not [check for check in made.checks if isinstance(check, BackupIsYoung)]


def test_a_resource_that_nobody_provides_is_told_once_and_breaks_nothing_else() -> None:
    lacking = backing_up(policies={"bucket": None}).model_copy(update={"placement": {"probe": ("spare",)}})
    told = refusal(lacking, probing(bucket=ObjectBucket(name="probe"), database=PostgresDatabase(name="probe")))
    assert told == [("policies.bucket", "is missing, but probe asks for it")]


# How a host comes by it


def test_the_program_comes_whole_and_as_it_is() -> None:
    held = files(deployed("snac").hosts["six"])
    sources = Path(__file__).parents[2] / "fedikit/data/onhost"
    named = {f"{PROGRAM}/onhost/{file.name}": file.read_text() for file in sources.glob("*.py")}
    named[f"{PROGRAM}/__main__.py"] = named.pop(f"{PROGRAM}/onhost/__main__.py")
    assert {path: text for path, text in held.items() if path.startswith(PROGRAM)} == named
    assert {name.partition("/")[0] for name in data_program()} == {"__main__.py", "onhost"}


@pytest.mark.parametrize(
    ("application", "packages"),
    [
        ("mastodon", {"restic", "rclone", "fuse3", "postgresql-client"}),
        ("pixelfed", {"restic", "rclone", "fuse3", "mariadb-client"}),
        ("snac", {"restic"}),
    ],
)
def test_a_host_gets_the_tools_that_its_parts_take(application: str, packages: set[str]) -> None:
    made, without = deployed(application), environment(placement={"snac": "six"}).deployment(configuration(application))
    host = {"snac": "six"}.get(application, application)
    added = set(ids(made.hosts[host])) - set(ids(without.hosts[host]))
    assert {name for kind, _, name in (one.partition(":") for one in added) if kind == "package"} == packages


def test_secrets_are_in_files_that_only_root_reads_and_nowhere_else() -> None:
    made = deployed("mastodon", policy=SFTP, secrets={"given": {"backup/ssh-key": "file:key"}})
    state = made.hosts["mastodon"]
    own = [item for item in state.items if isinstance(item, File) and item.path.startswith(SETTINGS)]
    assert {item.mode for item in own} == {"0600"}
    folders = [item for item in state.items if isinstance(item, Directory) and item.path.startswith(SETTINGS)]
    assert {item.mode for item in folders} == {"0700"}
    assert {item.path.rpartition("/")[2]: text for item in own if (text := files(state)[item.path])} == {
        "mastodon.json": files(state)[f"{SETTINGS}/mastodon.json"],
        "repository-password": "<mastodon/backup password 1>",
        "ssh-key": "<backup/ssh-key password 1>\n",
        "known_hosts": f"192.0.2.9 {HOST_KEY}\n",
        "database-password": "<mastodon/database password 1>",
        "bucket-key-id": "<mastodon/bucket-key garage-key-id 1>",
        "bucket-secret": "<mastodon/bucket-key garage-key-secret 1>",
    }
    plain = [item for item in state.items if "backup" in item.id and isinstance(content_of(item), SecretText)]
    assert plain == []


def test_each_application_has_a_repository_and_a_password_of_its_own() -> None:
    made = deployed(*MEDIA_SERVERS)
    urls = {settings(made.hosts[name], name)["repository"]["url"] for name in MEDIA_SERVERS}
    assert urls == {f"/mnt/backup/{name}" for name in MEDIA_SERVERS}
    passwords = {files(made.hosts[name])[f"{SETTINGS}/{name}/repository-password"] for name in MEDIA_SERVERS}
    assert passwords == {f"<{name}/backup password 1>" for name in MEDIA_SERVERS}


def test_on_several_hosts_each_has_a_repository_of_its_own() -> None:
    kept = Container(
        name="probe", image="docker.io/example/probe:v1", volumes=(Volume(name="probe-kept", mount="/kept"),)
    )
    urls = [found["repository"]["url"] for found in of_probe("spare", "six", kept=kept)]
    assert urls == ["/mnt/backup/probe-spare", "/mnt/backup/probe-six"]


def test_the_secrets_of_backups_are_among_those_that_can_be_shown() -> None:
    made = deployed("mastodon", policy=SFTP, secrets={"given": {"backup/ssh-key": "file:key"}})
    assert {"mastodon/backup", "backup/ssh-key"} <= {secret.name for secret in secrets_of(made)}


def test_the_password_of_a_repository_can_never_be_rotated() -> None:
    rotated = backing_up(secrets={"versions": {"mastodon/backup": 2}})
    path = 'secrets.versions."mastodon/backup"'
    assert refusal(rotated, configuration("mastodon")) == [
        (path, "must never change: what rests on it would be lost"),
    ]


def test_what_opens_the_repository_can_be_rotated_also_where_nothing_is_backed_up() -> None:
    more = {"secrets": {"given": {"backup/ssh-key": "file:key"}, "versions": {"backup/ssh-key": 2}}}
    assert deployed("mastodon", policy=SFTP, **more)
    assert backing_up(SFTP, **more).deployment(configuration())


# Timers and services


def unit_files(state: HostState, application: str) -> dict[str, str]:
    names = [f"fedikit-backup-{application}", f"fedikit-backup-check-{application}"]
    held = files(state)
    endings = ("service", "timer")
    return {f"{name}.{end}": held[f"/etc/systemd/system/{name}.{end}"] for name in names for end in endings}


def test_backups_begin_when_the_policy_says_and_are_looked_at_on_sundays() -> None:
    made = deployed("snac", policy={**LOCAL, "at": "22:15", "spread": 45})
    units = unit_files(made.hosts["six"], "snac")
    assert "OnCalendar=*-*-* 22:15\nRandomizedDelaySec=45m\n" in units["fedikit-backup-snac.timer"]
    assert "OnCalendar=Sun *-*-* 01:15\nRandomizedDelaySec=45m\n" in units["fedikit-backup-check-snac.timer"]
    assert f"ExecStart=/usr/bin/python3 -I -B {PROGRAM} backup snac\n" in units["fedikit-backup-snac.service"]
    assert f"ExecStart=/usr/bin/python3 -I -B {PROGRAM} check snac\n" in units["fedikit-backup-check-snac.service"]
    assert "After=network-online.target fedikit-backup-snac.service\n" in units["fedikit-backup-check-snac.service"]
    timers = [item for item in made.hosts["six"].items if isinstance(item, Unit) and item.name.endswith(".timer")]
    assert {timer.name: timer.restart_on for timer in timers} == {
        name: (f"file:/etc/systemd/system/{name}",) for name in units if name.endswith(".timer")
    }


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_has_nothing_to_say_against_the_units(tmp_path: Path) -> None:
    for name, text in unit_files(deployed("snac").hosts["six"], "snac").items():
        (tmp_path / name).write_text(text)
    names = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# Leaving, and not being there


def test_without_the_policy_and_with_all_skipped_nothing_is_otherwise_than_before() -> None:
    plain = environment().deployment(configuration(*MEDIA_SERVERS))
    skipped = environment(policies={"backup": {**LOCAL, "skip": list(MEDIA_SERVERS)}})
    assert skipped.deployment(configuration(*MEDIA_SERVERS)) == plain
    assert "backup" not in plain.model_dump_json()


def test_what_is_skipped_is_not_backed_up_and_all_else_is() -> None:
    made = deployed("mastodon", "pixelfed", policy={**LOCAL, "skip": ["mastodon"]})
    assert not [path for path in files(made.hosts["mastodon"]) if "backup" in path]
    assert parts(made.hosts["pixelfed"], "pixelfed")
    assert [check.application for check in made.checks if isinstance(check, BackupIsYoung)] == ["pixelfed"]


def test_skipping_what_is_no_application_is_a_mistake() -> None:
    told = refusal(backing_up({**LOCAL, "skip": ["snac", "mastodno"]}), configuration("snac"))
    assert told == [("policies.backup.skip.1", 'names "mastodno", no application; did you mean "mastodon"?')]


def test_the_check_is_as_patient_as_the_policy() -> None:
    made = deployed("snac", policy={**LOCAL, "max_age_hours": 50})
    (check,) = [check for check in made.checks if isinstance(check, BackupIsYoung)]
    assert (check.application, check.host, check.max_age_hours) == ("snac", "six", 50)
    assert check.name == "the newest backup of snac on six is at most 50 hours old"


@pytest.mark.parametrize(("asked", "days"), [({}, 0), ({"proof_days": 30}, 30)])
def test_how_old_proofs_may_be_is_known_of_the_deployment_and_changes_nothing_on_hosts(
    asked: dict[str, Any], days: int
) -> None:
    made = deployed("snac", policy={**LOCAL, **asked})
    assert made.proof_days == days
    assert made.digest == deployed("snac", policy=LOCAL).digest


# Repositories


@pytest.mark.parametrize(
    ("repository", "line"),
    [
        ("sftp:backup@192.0.2.9:/srv/backups", "192.0.2.9"),
        ("sftp:backup.example.org:backups", "backup.example.org"),
        ("sftp://u1@store.example.org:23//home/b", "[store.example.org]:23"),
        ("sftp://u1@store.example.org:22/b", "store.example.org"),
        ("sftp://u1@[2001:db8::1]:2222/b", "[2001:db8::1]:2222"),
        ("sftp:u1@[2001:db8::1]:/b", "2001:db8::1"),
    ],
)
def test_a_server_is_known_as_ssh_looks_for_it(repository: str, line: str) -> None:
    assert known_hosts(repository, HOST_KEY) == f"{line} {HOST_KEY}\n"


def test_a_final_slash_makes_no_other_repository() -> None:
    made = deployed("snac", policy={"repository": "/mnt/backup/"})
    assert settings(made.hosts["six"], "snac")["repository"]["url"] == "/mnt/backup/snac"


def test_a_command_after_a_restore_holds_words_and_a_container() -> None:
    with pytest.raises(ValueError, match="run"):
        AfterRestore(name="feeds", container="mastodon-web", run=())
