"""Containers and their one-off jobs, as the policy that runs them by Podman makes them."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from fedikit.environment import Environment
from fedikit.errors import ConfigurationError
from fedikit.model import (
    Container,
    Directory,
    File,
    HttpHealth,
    Job,
    MountedFile,
    OneOffJob,
    Provision,
    SecretRef,
    SecretText,
    Unit,
    Variables,
    Volume,
)
from fedikit.policies import ContainerPolicy
from fedikit.policies.numbers import FIRST, first_number
from fedikit.policies.scripts import script
from tests.model.example import ids, only, place, probing, probing_several, refusal, text

IMAGE = "registry.example.org/probe:v1.2"
KEY = SecretRef(name="probe/key", format="hex64")
VARIABLES = Variables(name="probe", values={"NAME": 'the "best" one', "KEY": KEY, "EMPTY": "", "URL": ("at ", KEY)})
NUMBER = str(first_number("probe") + 991)
DATA = Volume(name="probe-data", mount="/data", owner=991)
FULL = Container(
    name="probe-web",
    image=IMAGE,
    variables=VARIABLES,
    volumes=(DATA,),
    files=(MountedFile(mount="/etc/probe/server.toml", content=("key = ", KEY), owner=991),),
    ports=(3000,),
    health=HttpHealth(port=3000),
)
JOB = OneOffJob(
    name="first user",
    image=IMAGE,
    run=("make", "user", ""),
    check=("has", "user"),
    stdin=KEY,
    variables=VARIABLES,
    user="991:992",
    volumes=(DATA,),
    deadline=60,
)


def provided(request: Container | OneOffJob, policy: ContainerPolicy | None = None) -> Provision:
    return (policy or ContainerPolicy()).typed(place())(request)


def test_a_container_comes_with_all_that_it_needs_before_its_unit() -> None:
    assert [item.id for item in provided(FULL).items] == [
        "package:podman",
        f"image:{IMAGE}",
        "directory:/etc/fedikit",
        "file:/etc/fedikit/probe.env",
        "file:/etc/fedikit/probe.secrets.env",
        "file:/etc/fedikit/shift-owners",
        "directory:/srv/probe-data",
        "job:probe-data owners",
        "directory:/etc/fedikit/probe-web",
        "file:/etc/fedikit/probe-web/server.toml",
        "file:/etc/fedikit/await-http",
        "file:/etc/containers/systemd/probe-web.container",
        "unit:probe-web.service",
    ]


def test_it_restarts_when_anything_that_it_reads_changes() -> None:
    unit = provided(FULL).items[-1]

    assert isinstance(unit, Unit)
    assert set(unit.restart_on) == {
        f"image:{IMAGE}",
        "file:/etc/fedikit/probe.env",
        "file:/etc/fedikit/probe.secrets.env",
        "file:/etc/fedikit/probe-web/server.toml",
        "file:/etc/containers/systemd/probe-web.container",
    }


def file_of(provision: Provision, path: str) -> File:
    (file,) = (item for item in provision.items if item.id == f"file:{path}")
    assert isinstance(file, File)
    return file


def test_variables_stand_one_a_line_and_unquoted_where_only_root_reads_them() -> None:
    plain, secret = (file_of(provided(FULL), f"/etc/fedikit/probe{end}") for end in (".env", ".secrets.env"))

    assert plain.content == 'NAME=the "best" one\nEMPTY=\n'
    assert text(secret.content) == "KEY=<probe/key hex64 1>\nURL=at <probe/key hex64 1>\n"
    assert {(file.mode, file.owner) for file in (plain, secret)} == {("0600", "root")}


def test_a_container_without_secrets_has_no_file_for_them() -> None:
    plain = Container(name="probe", image=IMAGE, variables=Variables(name="probe", values={"NAME": "one"}))
    secret = Container(name="probe", image=IMAGE, variables=Variables(name="probe", values={"KEY": KEY}))
    paths = [[item.path for item in provided(probe).items if isinstance(item, File)] for probe in (plain, secret)]

    assert [[path for path in some if path.endswith(".env")] for some in paths] == [
        ["/etc/fedikit/probe.env"],
        ["/etc/fedikit/probe.secrets.env"],
    ]


def test_a_mounted_file_is_for_the_containers_user_alone() -> None:
    file = file_of(provided(FULL), "/etc/fedikit/probe-web/server.toml")

    assert (file.mode, file.owner, file.group) == ("0400", NUMBER, NUMBER)
    assert file.content == SecretText(parts=("key = ", KEY))


def test_data_lies_below_the_providers_directory_and_is_kept() -> None:
    policy = ContainerPolicy(volumes="/srv/disk two")

    assert Directory(path="/srv/disk two/probe-data", mode="0750", owner=NUMBER, group=NUMBER, data=True) in (
        provided(FULL, policy).items
    )


@pytest.mark.parametrize("value", ["one\ntwo", ("one", "\n", KEY)])
def test_a_value_of_several_lines_is_refused_with_its_name(value: str | tuple[str | SecretRef, ...]) -> None:
    lines = Container(name="probe", image=IMAGE, variables=Variables(name="probe", values={"FINE": "", "MOTTO": value}))

    assert refusal(only({"probe": "spare"}), probing(web=lines)) == [
        ("applications.probe", "gives the variable MOTTO more than one line")
    ]


def test_a_variable_with_another_name_is_none() -> None:
    with pytest.raises(ValidationError, match="A=B"):
        Variables(name="probe", values={"A=B": ""})


# Jobs


def test_a_job_runs_in_a_container_that_leaves_nothing() -> None:
    job, first = provided(JOB).items[-1], first_number("probe")

    options = (
        f"--pull=never --network=host --uidmap=0:{first}:65536 --gidmap=0:{first}:65536 "
        "--env-file=/etc/fedikit/probe.env --env-file=/etc/fedikit/probe.secrets.env "
        "--user=991:992 --volume=/srv/probe-data:/data"
    ).split()
    run = "python3 -I /etc/fedikit/run-once probe-first-user 60".split()
    look = "podman run --rm --interactive --replace --name=probe-first-user-check".split()
    assert job == Job(
        name="probe first user",
        run=(*run, *options, IMAGE, "make", "user", ""),
        check=(*look, *options, IMAGE, "has", "user"),
        stdin=SecretText(parts=(KEY,)),
        inputs=(f"image:{IMAGE}",),
        deadline=150,
    )


def test_a_job_without_a_check_has_none() -> None:
    job = provided(OneOffJob(name="setup", image=IMAGE, run=("true",))).items[-1]

    assert isinstance(job, Job)
    assert (job.check, job.stdin) == ((), "")


# Images


@pytest.mark.parametrize(
    ("mirrors", "reference"),
    [
        ({}, "registry.example.org/probe:v1.2"),
        ({"registry.example.org/probe": "mirror.lab:5000/copies/probe"}, "mirror.lab:5000/copies/probe:v1.2"),
        ({"registry.example.org": "mirror.lab/x"}, "registry.example.org/probe:v1.2"),
    ],
)
@pytest.mark.parametrize("request_", [FULL, JOB], ids=["container", "job"])
def test_a_mirror_replaces_the_repository_and_keeps_the_tag(
    mirrors: dict[str, str], reference: str, request_: Container | OneOffJob
) -> None:
    items = provided(request_, ContainerPolicy(mirrors=mirrors)).items

    assert items[1].id == f"image:{reference}"
    assert reference in items[-1].model_dump_json()
    quadlets = [item for item in items if isinstance(item, File) and item.path.endswith(".container")]
    assert all(f"Image={reference}\n" in text(item.content) for item in quadlets)


@pytest.mark.parametrize("mirror", ["registry.example.org", "registry.example.org/probe:v1", "two words/x"])
def test_a_mirror_that_is_no_repository_is_refused_where_it_is_written(mirror: str) -> None:
    with pytest.raises(ValidationError, match=r"policies\.container\.mirrors"):
        Environment.model_validate(
            {"name": "a", "hosts": {"a": {"type": "local"}}, "policies": {"container": {"mirrors": {IMAGE: mirror}}}}
        )


# Ports


def listening(name: str, *ports: int) -> Container:
    return Container(name=name, image=IMAGE, ports=ports)


def test_two_that_listen_at_the_same_port_of_a_host_are_refused_and_named() -> None:
    both = probing_several(alpha={"web": listening("alpha-web", 3000)}, beta={"web": listening("beta-web", 80, 3000)})

    assert refusal(only({"alpha": "spare", "beta": "spare"}), both) == [
        ("placement.beta", "brings beta-web, which listens at port 3000 of spare, and so does alpha-web")
    ]
    assert only({"alpha": "spare", "beta": "six"}).deployment(both)


def test_a_container_that_two_applications_share_is_no_conflict() -> None:
    web = listening("web", 3000).model_copy(update={"family": "web"})
    both = probing_several(alpha={"web": web}, beta={"web": web})

    deployment = only({"alpha": "spare", "beta": "spare"}).deployment(both)

    assert ids(deployment.hosts["spare"]).count("unit:web.service") == 1


# What waits until a container answers


class Server(HTTPServer):
    """Answers the third request, and only to its own name over (what it takes for) HTTPS."""

    asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        knows = self.headers["Host"] == "probe.test" and self.headers["X-Forwarded-Proto"] == "https"
        self.send_response(200 if knows and self.server.asked >= 3 else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def waiting(server: Server, domain: str, seconds: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = (f"http://127.0.0.1:{server.server_port}/health", domain, seconds)
    command = [sys.executable, "-I", "-c", script("await_http.py"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_it_waits_until_the_server_answers_to_its_name(server: Server) -> None:
    assert waiting(server, "probe.test", "20").returncode == 0
    assert server.asked == 3


def test_it_waits_no_longer_than_it_may(server: Server) -> None:
    done = waiting(server, "-", "0.3")

    assert done.returncode == 1
    assert "did not answer within 0.3 s: HTTP Error 503" in done.stderr


def test_it_does_not_wait_for_a_server_that_has_ended(server: Server) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()

    done = waiting(server, "-", "20", MAINPID=str(ended.pid))

    assert done.returncode == 1
    assert "does not answer, for its server has ended: HTTP Error 503" in done.stderr


def test_a_container_is_refused_where_it_is_malformed() -> None:
    with pytest.raises(ConfigurationError, match=r"image: .*should be a container image's whole name"):
        ContainerPolicy().typed(place())({"name": "probe", "image": "probe"})


# Numbers on the host


def test_families_have_ranges_of_their_own_above_all_that_the_host_gives_away() -> None:
    ranges = {first_number(name) for name in ("mastodon", "peertube", "pixelfed", "gotosocial", "garage")}

    assert len(ranges) == 5
    assert all(FIRST <= first < 2**31 - 65536 and first % 65536 == 0 for first in ranges)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_what_small_numbers_own_is_shifted_once_and_no_link_is_followed(tmp_path: Path) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    (data / "deep").mkdir(parents=True)
    (data / "deep/file").write_text("x")
    outside.write_text("somebody's own")
    (data / "link").symlink_to(outside)
    os.chown(data / "deep/file", 991, 33)
    command = [sys.executable, "-I", "-c", script("shift_owners.py"), str(FIRST), str(data)]

    for _ in range(2):
        subprocess.run(command, check=True)
        seen = (data / "deep/file").stat()
        assert (seen.st_uid, seen.st_gid) == (FIRST + 991, FIRST + 33)
    assert (data / "link").lstat().st_uid == FIRST
    assert (outside.stat().st_uid, data.stat().st_uid) == (0, 0)
