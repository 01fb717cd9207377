"""Containers by Podman: each a Quadlet unit in the host's own network, so that systemd keeps it running."""

from typing import ClassVar

from pydantic import Field

from fedikit.model.item import Directory, File, Image, Item, Job, Package, Unit
from fedikit.model.policy import CannotFulfil, Place, Policy, Provision
from fedikit.model.request import Container, Health, HttpHealth, OneOffJob, Task, Variables, Volume
from fedikit.model.secret import Content, SecretText
from fedikit.model.text import FactReference, Facts, Text, filled, joined, number
from fedikit.model.value import AbsolutePath, ImageRepository, Written, is_line
from fedikit.policies.numbers import COUNT, first_number, on_host
from fedikit.policies.quadlet import AWAIT, FOLDER, OnHost, await_command, job_name, quadlet, ready_name
from fedikit.policies.scripts import script
from fedikit.policies.web import CA_BUNDLE, TRUST

SHIFT_OWNERS = f"{FOLDER}/shift-owners"
RUN_ONCE = f"{FOLDER}/run-once"
STOPPING_SECONDS = 90
"""How long a job's container may take to end when its time is over."""
LONGEST_SECONDS = 24 * 3600
QUADLETS = "/etc/containers/systemd"
READY_SECONDS = 24 * 3600
"""How long may pass until software that has started does its work: databases may migrate for hours."""
Plain = tuple[str | FactReference, ...]


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
        if isinstance(request, Task):
            return Provision(items=(_task(request, place),))
        image = Image(reference=self._mirrored(request.image))
        items = (Package(name="podman"), image, *self._surroundings(request, place))
        if isinstance(request, OneOffJob):
            return Provision(items=(*items, *self._job(request, image, place)))
        known = _told(request, place)
        ports = {number(port, place.facts): request.name for port in known.ports}
        opens = place.opens(known.open, known.name)
        return Provision(items=(*items, *self._container(known, image, place)), ports=ports, opens=opens)

    def _mirrored(self, reference: str) -> str:
        repository, _, tag = reference.rpartition(":")
        return f"{self.mirrors.get(repository, repository)}:{tag}"

    def _surroundings(self, request: Container | OneOffJob, place: Place) -> tuple[Item, ...]:
        """What must be there before it starts: its variables and volumes."""
        volumes = (item for volume in request.volumes for item in self._volume(volume, _family(request, place)))
        shifting = (File(path=SHIFT_OWNERS, content=script("shift_owners.py")),) if request.volumes else ()
        return (Directory(path=FOLDER), *_variables_files(request.variables, place), *shifting, *volumes)

    def _volume(self, volume: Volume, family: str) -> tuple[Item, ...]:
        owner, path = on_host(family, volume.owner), self._path(volume)
        run = ("python3", "-I", SHIFT_OWNERS, str(first_number(family)), path)
        return (
            Directory(path=path, mode="0750", owner=owner, group=owner, data=True),
            Job(name=f"{volume.name} owners", run=run, deadline=LONGEST_SECONDS),
        )

    def _path(self, volume: Volume) -> str:
        return f"{self.volumes}/{volume.name}"

    # Containers that always run

    def _container(self, request: Container, image: Image, place: Place) -> tuple[Item, ...]:
        family = _family(request, place)
        files = _mounted_files(request, family, place)
        is_asked = request.ready or isinstance(request.health, HttpHealth)
        awaiting = (File(path=AWAIT, content=script("await_http.py")),) if is_asked else ()
        mounts = {self._path(volume): volume.mount for volume in request.volumes}
        mounts |= {file.path: f"{mounted.mount}:ro" for file, mounted in zip(files, request.files, strict=True)}
        mounts |= {CA_BUNDLE: f"{CA_BUNDLE}:ro"} if _is_trusting(place) else {}
        variables, trusted = _variables_files(request.variables, place), _trusted(place)
        seen = OnHost(mounts, first_number(family), tuple(file.path for file in variables))
        own = File(path=f"{QUADLETS}/{request.name}.container", content=quadlet(request, image.reference, seen))
        watched = [image.id, *(file.id for file in (*files, own, *variables, *trusted))]
        folder = (Directory(path=f"{FOLDER}/{request.name}"),) if files else ()
        unit = Unit(name=f"{request.name}.service", restart_on=tuple(watched))
        return (*folder, *files, *awaiting, *trusted, own, unit, *_readiness(request, watched))

    # Commands that run once

    def _job(self, request: OneOffJob, image: Image, place: Place) -> tuple[File, Job]:
        name = job_name(place.application, request)
        options = self._options(request, place)
        run = _plain((*options, image.reference, *request.run), place)
        look = ("podman", "run", "--rm", "--interactive", "--replace", f"--name={_dashed(name)}-check")
        running = File(path=RUN_ONCE, content=script("run_once.py"))
        job = Job(
            name=name,
            run=("python3", "-I", RUN_ONCE, _dashed(name), str(request.deadline), *run),
            check=(*look, *_plain((*options, image.reference, *request.check), place)) if request.check else (),
            stdin=filled(request.stdin, place.facts),
            inputs=(image.id,),
            deadline=min(request.deadline + STOPPING_SECONDS, LONGEST_SECONDS),
        )
        return running, job

    def _options(self, request: OneOffJob, place: Place) -> Plain:
        """What stands before the image's name."""
        first = first_number(_family(request, place))
        options: list[str | FactReference] = ["--pull=never", "--network=host"]
        options += [f"--{numbers}map=0:{first}:{COUNT}" for numbers in ("uid", "gid")]
        options += [f"--env-file={file.path}" for file in _variables_files(request.variables, place)]
        if request.user:
            options.append(f"--user={request.user}")
        options += [f"--env={name}={_word(value, place)}" for name, value in request.environment.items()]
        options += [f"--volume={self._path(volume)}:{volume.mount}" for volume in request.volumes]
        options += [f"--volume={CA_BUNDLE}:{CA_BUNDLE}:ro"] if _is_trusting(place) else []
        return tuple(options)


def _family(request: Container | OneOffJob, place: Place) -> str:
    """Whose numbers its users have on the host."""
    return request.family or place.application


def _task(request: Task, place: Place) -> Job:
    start = ("podman", "exec", "--interactive", request.container) if request.container else ()
    return Job(
        name=job_name(place.application, request),
        run=_plain((*start, *request.run), place),
        check=_plain((*start, *request.check), place) if request.check else (),
        stdin=filled(request.stdin, place.facts),
        user=request.user,
        deadline=request.deadline,
    )


def _readiness(request: Container, watched: list[str]) -> tuple[Job, ...]:
    """Waits for its work to begin, each time that it was started anew; what follows waits with it."""
    if not request.ready:
        return ()
    run = await_command(request.ready, READY_SECONDS - STOPPING_SECONDS)
    return (Job(name=ready_name(request), run=run, inputs=tuple(watched), deadline=READY_SECONDS),)


def _told(request: Container, place: Place) -> Container:
    """With all facts in it, but for its variables: those may be secrets."""
    ports = tuple(number(port, place.facts) for port in request.ports)
    environment = {name: _word(value, place) for name, value in request.environment.items()}
    known = {"health": _asked(request.health, place.facts), "ready": _asked(request.ready, place.facts)}
    return request.model_copy(update={"ports": ports, "environment": environment, **known})


def _asked(health: Health | None, facts: Facts) -> Health | None:
    return health.model_copy(update={"port": number(health.port, facts)}) if isinstance(health, HttpHealth) else health


def _plain(words: Plain, place: Place) -> tuple[str, ...]:
    return tuple(_word(word, place) for word in words)


def _word(text: str | FactReference, place: Place) -> str:
    """A word that everybody on the host may read."""
    word = filled(text, place.facts)
    if not isinstance(word, str):
        raise CannotFulfil(f"applications.{place.application}", "puts a secret where everybody on a host can read it")
    return word


def _dashed(name: str) -> str:
    return name.replace(" ", "-")


def _is_trusting(place: Place) -> bool:
    """Whether containers trust what the host trusts, beyond what their images do."""
    return bool(_trusted(place))


def _trusted(place: Place) -> tuple[File, ...]:
    """The further certificates that the host trusts, as the web policy brings them."""
    certificates = place.facts.get(("other-servers", "certificates"))
    return (File(path=TRUST, content=certificates),) if isinstance(certificates, str) and certificates else ()


def _variables_files(variables: Variables | None, place: Place) -> tuple[File, ...]:
    """What containers share; secrets in a file of their own, for a host can bring back only what holds none."""
    if not variables:
        return ()
    known = {name: filled(value, place.facts) for name, value in variables.values.items()}
    lines = [
        joined(f"{name}=", _one_line(name, content, place), "\n")
        for name, content in known.items()
        if content != "" or _is_said(variables.values[name])
    ]
    by_name: dict[str, list[Content]] = {
        f"{variables.name}.env": [line for line in lines if isinstance(line, str)],
        f"{variables.name}.secrets.env": [line for line in lines if not isinstance(line, str)],
    }
    return tuple(
        File(path=f"{FOLDER}/{name}", content=joined(*some), mode="0600") for name, some in by_name.items() if some
    )


def _is_said(value: Text) -> bool:
    """Whether the application itself says it; a fact that comes to nothing is not there."""
    return isinstance(value, str)


def _one_line(name: str, content: Content, place: Place) -> Content:
    """Podman reads these files line by line and verbatim."""
    parts = content.parts if isinstance(content, SecretText) else (content,)
    if wrong := [part for part in parts if isinstance(part, str) and not is_line(part)]:
        what = "more than one line" if "\n" in "".join(wrong) else "a control character"
        raise CannotFulfil(f"applications.{place.application}", f"gives the variable {name} {what}")
    return content


def _mounted_files(request: Container, family: str, place: Place) -> tuple[File, ...]:
    return tuple(
        File(
            path=f"{FOLDER}/{request.name}/{mounted.mount.rpartition('/')[2]}",
            content=filled(mounted.content, place.facts),
            mode="0400",
            owner=on_host(family, mounted.owner),
            group=on_host(family, mounted.owner),
        )
        for mounted in request.files
    )
