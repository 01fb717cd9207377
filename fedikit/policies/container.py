"""Containers by Podman: each a Quadlet unit in the host's own network, so that systemd keeps it running."""

from typing import ClassVar

from pydantic import Field

from fedikit.model.item import Content, Directory, File, Image, Item, Job, Package, SecretText, Unit
from fedikit.model.policy import CannotFulfil, Place, Policy, Provision
from fedikit.model.request import Container, HttpHealth, OneOffJob, Task, Variables, Volume
from fedikit.model.text import Untold, filled, joined
from fedikit.model.value import AbsolutePath, ImageRepository, Written, is_line
from fedikit.policies.quadlet import AWAIT, FOLDER, quadlet, variables_path

QUADLETS = "/etc/containers/systemd"
AWAIT_SCRIPT = """\
# Waits until a server on this host answers an HTTP request with success: URL, Host header (or -), seconds.
import sys, time, urllib.request

url, domain, seconds = sys.argv[1:]
request = urllib.request.Request(url, headers={"X-Forwarded-Proto": "https"})
if domain != "-":
    request.add_header("Host", domain)
end, last = time.monotonic() + float(seconds), "no answer"
while time.monotonic() < end:
    try:
        with urllib.request.urlopen(request, timeout=5):
            sys.exit(0)
    except OSError as error:
        last = error
    time.sleep(0.1)
sys.exit(f"{url} did not answer within {seconds} s: {last}")
"""


class ContainerPolicy(Written, Policy[Container | OneOffJob | Task]):
    """Runs containers by Podman, under systemd. Needs Debian 13."""

    fulfils: ClassVar = Container | OneOffJob | Task
    volumes: AbsolutePath = Field("/srv", description="The directory below which containers keep their data.")
    mirrors: dict[str, ImageRepository] = Field(
        default_factory=dict,
        title="Mirrors",
        description="Other repositories to take images from, by the repository that an application names.",
        examples=[{"docker.io/dxflrs/garage": "registry.example.org/garage"}],
    )

    def provide(self, request: Container | OneOffJob | Task, place: Place) -> Provision:
        try:
            if isinstance(request, Task):
                return Provision(items=(_task(request, place),))
            image = Image(reference=self._mirrored(request.image))
            items = (Package(name="podman"), image, *self._surroundings(request, place))
            if isinstance(request, OneOffJob):
                return Provision(items=(*items, self._job(request, image, place)))
            return Provision(
                items=(*items, *self._container(request, image, place)),
                ports=dict.fromkeys(request.ports, request.name),
            )
        except Untold as untold:
            raise CannotFulfil(f"applications.{place.application}", str(untold)) from None

    def _mirrored(self, reference: str) -> str:
        repository, _, tag = reference.rpartition(":")
        return f"{self.mirrors.get(repository, repository)}:{tag}"

    def _surroundings(self, request: Container | OneOffJob, place: Place) -> tuple[Item, ...]:
        """What must be there before it starts: its variables and volumes."""
        variables = [_variables_file(request.variables, place)] if request.variables else []
        return (Directory(path=FOLDER), *variables, *(self._directory(volume) for volume in request.volumes))

    def _directory(self, volume: Volume) -> Directory:
        owner = str(volume.owner)
        owner = "root" if owner == "0" else owner
        return Directory(path=self._path(volume), mode="0750", owner=owner, group=owner, data=True)

    def _path(self, volume: Volume) -> str:
        return f"{self.volumes}/{volume.name}"

    # Containers that always run

    def _container(self, request: Container, image: Image, place: Place) -> tuple[Item, ...]:
        files = _mounted_files(request, place)
        awaiting = (File(path=AWAIT, content=AWAIT_SCRIPT),) if isinstance(request.health, HttpHealth) else ()
        mounts = {self._path(volume): volume.mount for volume in request.volumes}
        mounts |= {file.path: f"{mounted.mount}:ro" for file, mounted in zip(files, request.files, strict=True)}
        own = File(path=f"{QUADLETS}/{request.name}.container", content=quadlet(request, image.reference, mounts))
        watched = [image.id, *(file.id for file in files), own.id]
        if request.variables:
            watched.append(f"file:{variables_path(request.variables)}")
        folder = (Directory(path=f"{FOLDER}/{request.name}"),) if files else ()
        unit = Unit(name=f"{request.name}.service", restart_on=tuple(watched))
        return (*folder, *files, *awaiting, own, unit)

    # Commands that run once

    def _job(self, request: OneOffJob, image: Image, place: Place) -> Job:
        name = f"{place.application} {request.name}"
        start = self._podman_run(request, name.replace(" ", "-"))
        return Job(
            name=name,
            run=(*start, image.reference, *request.run),
            check=(*start, image.reference, *request.check) if request.check else (),
            stdin=filled(request.stdin, place.facts),
            inputs=(image.id,),
            deadline=request.deadline,
        )

    def _podman_run(self, request: OneOffJob, name: str) -> tuple[str, ...]:
        options = ["--rm", "--interactive", "--replace", f"--name={name}", "--pull=never", "--network=host"]
        if request.variables:
            options.append(f"--env-file={variables_path(request.variables)}")
        if request.user:
            options.append(f"--user={request.user}")
        options += [f"--volume={self._path(volume)}:{volume.mount}" for volume in request.volumes]
        return ("podman", "run", *options)


def _task(request: Task, place: Place) -> Job:
    start = ("podman", "exec", "--interactive", request.container)
    return Job(
        name=f"{place.application} {request.name}",
        run=(*start, *request.run),
        check=(*start, *request.check) if request.check else (),
        stdin=filled(request.stdin, place.facts),
        deadline=request.deadline,
    )


def _variables_file(variables: Variables, place: Place) -> File:
    lines = [
        joined(f"{name}=", _one_line(name, filled(value, place.facts), place), "\n")
        for name, value in variables.values.items()
    ]
    return File(path=variables_path(variables), content=joined(*lines), mode="0600")


def _one_line(name: str, content: Content, place: Place) -> Content:
    """Podman reads these files line by line and verbatim."""
    parts = content.parts if isinstance(content, SecretText) else (content,)
    if wrong := [part for part in parts if isinstance(part, str) and not is_line(part)]:
        what = "more than one line" if "\n" in "".join(wrong) else "a control character"
        raise CannotFulfil(f"applications.{place.application}", f"gives the variable {name} {what}")
    return content


def _mounted_files(request: Container, place: Place) -> tuple[File, ...]:
    return tuple(
        File(
            path=f"{FOLDER}/{request.name}/{mounted.mount.rpartition('/')[2]}",
            content=filled(mounted.content, place.facts),
            mode="0400",
            owner=str(mounted.owner) if mounted.owner else "root",
            group=str(mounted.owner) if mounted.owner else "root",
        )
        for mounted in request.files
    )
