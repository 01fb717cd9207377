"""Backups: each host backs up what its applications bear by itself, by restic, into a repository for each of them."""

import json
from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from fedikit.errors import Mistake
from fedikit.model.check import BackupIsYoung
from fedikit.model.data import (
    SETTINGS,
    AfterRestore,
    ApplicationData,
    BucketPart,
    MariaPart,
    Part,
    PostgresPart,
    settings_file,
)
from fedikit.model.host_key import HostKey
from fedikit.model.item import Directory, File, Item, Job, Package
from fedikit.model.policy import Place, Provision
from fedikit.model.secret import Content, SecretRef, SecretText
from fedikit.model.value import Line, Written
from fedikit.policies.backup_units import PROGRAM, When, units
from fedikit.policies.packages import Clock
from fedikit.policies.quadlet import FOLDER
from fedikit.policies.repository import RepositoryUrl, is_encrypted, kind_of, known_hosts
from fedikit.policies.scripts import data_program, script

CHECK_PARTS = 8
"""In how many weeks all of a repository has been read."""
GIVEN = {"sftp": "backup/ssh-key", "s3": "backup/s3-secret", "rest": "backup/rest-password"}
"""By how a repository is reached, the given secret that opens it."""
_TOOLS = {PostgresPart: ("postgresql-client",), MariaPart: ("mariadb-client",), BucketPart: ("rclone", "fuse3")}
_Count = Annotated[int, Field(ge=0, le=1000)]


class Keep(Written):
    """How many backups stay, counted back from the newest; those of the last 24 hours and the two newest always do."""

    daily: _Count = 7
    """Of so many days, the last one of each."""
    weekly: _Count = 4
    """Of so many weeks, the last one of each."""
    monthly: _Count = 6
    """Of so many months, the last one of each."""


class BackupPolicy(Written):
    """Has each host back up its applications by itself, with restic. Needs Debian 13."""

    means: Literal["restic"] = "restic"
    """Restic: encrypted, and only what is new is sent."""
    repository: RepositoryUrl
    at: Clock = Field("02:30", description="When backups begin, on the host's own clock.", examples=["02:30"])
    spread: Annotated[int, Field(ge=0, le=720)] = Field(
        30, description="Minutes within which they begin, so that not all do at once; each always at the same time."
    )
    keep: Keep = Field(Keep(), title="Keep")
    """How many backups stay, counted back from the newest."""
    upload_kib: Annotated[int, Field(ge=0)] = Field(
        0, title="Upload KiB", description="KiB a second that a backup may send; as many as it can if 0."
    )
    download_kib: Annotated[int, Field(ge=0)] = Field(
        0, title="Download KiB", description="KiB a second that a restore may fetch; as many as it can if 0."
    )
    access_key: Line = Field("", description="s3: the id of the key. Its secret is the given secret backup/s3-secret.")
    user: Line = Field(
        "", description="rest: who signs in; nobody if empty. The password is the given secret backup/rest-password."
    )
    known_host: HostKey | None = Field(
        None,
        description="sftp: the server's public key. Hosts sign in there with the given secret backup/ssh-key.",
    )
    max_age_hours: Annotated[int, Field(ge=1, le=8760)] = Field(
        26, description="How old the newest backup may be until checks fail and watching tells of it."
    )
    proof_days: Annotated[int, Field(ge=0, le=3650)] = Field(
        0, description="How old the newest proof may be until watching tells of it; nobody asks for proofs if 0."
    )
    skip: tuple[Line, ...] = Field((), description="Applications that are not backed up.", examples=[["peertube"]])

    def mistakes(self, given: Collection[str]) -> list[Mistake]:
        """What of it contradicts itself, or what the environment gives."""
        found = [Mistake(f"policies.backup.{path}", message) for path, message in self._contradictions()]
        secret = self._given
        if secret and secret not in given:
            found.append(Mistake(f'secrets.given."{secret}"', "is missing: it opens policies.backup.repository"))
        return found

    def provide(self, data: ApplicationData, place: Place, deployment: str) -> Provision:
        """What backs up an application's data on its host; nothing if there is none."""
        if not data.parts or place.application in self.skip:
            return Provision(items=())
        own = f"{SETTINGS}/{place.application}"
        settings = json.dumps(self._settings(data, place, deployment), indent=2, ensure_ascii=False) + "\n"
        items = (
            *(Package(name=name) for name in _packages(data)),
            *_program(),
            Directory(path=FOLDER),
            *(Directory(path=path, mode="0700") for path in (SETTINGS, own)),
            File(path=settings_file(place.application), content=settings, mode="0600"),
            *(
                File(path=f"{own}/{name}", content=text, mode="0600")
                for name, text in dict(self._secrets(data, place)).items()
            ),
            _state(data, place.application),
            *units(place.application, When(self.at, self.spread)),
        )
        check = BackupIsYoung(application=place.application, host=place.host, max_age_hours=self.max_age_hours)
        return Provision(items=items, checks=(check,))

    @property
    def _given(self) -> str:
        """The given secret that opens the repository; none where nobody has to sign in."""
        kind = kind_of(self.repository)
        return "" if kind == "rest" and not self.user else GIVEN.get(kind, "")

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        kind = kind_of(self.repository)
        if kind == "sftp" and not self.known_host:
            yield "known_host", "is missing: hosts must know the server from others"
        if kind == "s3" and not self.access_key:
            yield "access_key", "is missing: the id of the key that may use the bucket"
        if kind == "rest" and self.user and not is_encrypted(self.repository):
            yield "repository", "should start with rest:https: a password is only sent encrypted"
        named = {"sftp": self.known_host, "s3": self.access_key, "rest": self.user}
        fields = {"sftp": "known_host", "s3": "access_key", "rest": "user"}
        for other, value in named.items():
            if value and other != kind:
                yield fields[other], f"is for {other} repositories only"
        if not (self.keep.daily or self.keep.weekly or self.keep.monthly):
            yield "keep", "keeps nothing: one of daily, weekly and monthly should be more than 0"

    def _settings(self, data: ApplicationData, place: Place, deployment: str) -> dict[str, Any]:
        """What the program reads, without secrets: a plan shows what changes of it."""
        repository = {
            "url": f"{self.repository}/{data.folder}",
            "access_key": self.access_key,
            "user": self.user,
            "upload_kib": self.upload_kib,
            "download_kib": self.download_kib,
        }
        return {
            "format": 1,
            "deployment": deployment,
            "application": place.application,
            "host": place.host,
            "repository": repository,
            "keep": self.keep.model_dump(),
            "check_parts": CHECK_PARTS,
            "parts": [_described(part) for part in data.parts],
            "stop": list(data.stop),
            "after": [_command(command) for command in data.after],
            "images": data.images,
            "domains": list(data.domains),
            "reads": list(data.reads),
        }

    def _secrets(self, data: ApplicationData, place: Place) -> Iterator[tuple[str, Content]]:
        """The files that hold them, by their names; and the key by which a server is known."""
        yield "repository-password", _only(SecretRef(name=f"{place.application}/backup", permanent=True))
        if self._given:
            opens = SecretRef(name=self._given, given=True)
            yield self._given.partition("/")[2], SecretText(parts=(opens, "\n")) if self.known_host else _only(opens)
        if self.known_host:
            yield "known_hosts", known_hosts(self.repository, self.known_host)
        for part in data.parts:
            match part:
                case PostgresPart() | MariaPart():
                    yield "database-password", _only(part.password)
                case BucketPart():
                    yield "bucket-secret", _only(part.key_secret)
                    if isinstance(part.key_id, SecretRef):
                        yield "bucket-key-id", _only(part.key_id)


def _only(secret: SecretRef) -> SecretText:
    return SecretText(parts=(secret,))


def _packages(data: ApplicationData) -> tuple[str, ...]:
    tools = [tool for part in data.parts for tool in _TOOLS.get(type(part), ())]
    return tuple(dict.fromkeys(("restic", *tools)))


def _program() -> tuple[Item, ...]:
    """The program itself, byte for byte; the same for all applications."""
    files = tuple(File(path=f"{PROGRAM}/{name}", content=text) for name, text in data_program().items())
    return (Directory(path=PROGRAM), Directory(path=f"{PROGRAM}/onhost"), *files)


def _described(part: Part) -> dict[str, Any]:
    """A part as the program reads it: its secrets are in files of their own."""
    fields = part.model_dump(mode="json", exclude={"password", "key_secret"})
    if isinstance(part, BucketPart):
        del fields["name"]
        fields["key_id"] = "" if isinstance(part.key_id, SecretRef) else part.key_id
    return {"id": part.id, **fields}


def _command(command: AfterRestore) -> dict[str, Any]:
    run = ["podman", "exec", command.container, *command.run]
    return {"name": command.name, "run": run, "deadline": command.deadline}


def _state(data: ApplicationData, application: str) -> Job:
    """Where the program keeps what it knows; it leaves with the policy, and the backups stay where they are."""
    start = ("python3", "-I", "-c", script("backup_state.py"))
    make, check = ((*start, verb, "/", application) for verb in ("make", "check"))
    return Job(
        name=f"{application} backup state", run=make, check=check, undo=(*start, "undo", "/", application, *data.stop)
    )
