"""What a host says of the data of its applications: backups, and what a restore would do, and did.

The program there may be of another version than this deployer, until the next apply: what is not known here is left
out, and nothing is asked for that an earlier one did not say.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, SecretStr

from fedikit.remote.spoken import LONGEST_TEXT, Line, Message, Seconds, Sha256, ShortLine, Size, Text, Words

MOST_BACKUPS = 5000
MOST_PARTS_OF_APPLICATION = 500
MOST_COUNTS = 20_000
LONGEST_CERTIFICATE = 16 * 1024


def _plausible(time: datetime) -> datetime:
    if not 2000 <= time.year < 3000:
        raise ValueError("is no time of a backup")
    return time


BackupId = Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$")]
Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
Bytes = Annotated[int, Field(ge=0, le=1 << 60)]
Counts = Annotated[dict[ShortLine, Size], Field(max_length=MOST_COUNTS)]
"""How many of what: rows, tables, objects, files."""


class DataMessage(Message):
    """Something that the program of backups says."""

    model_config = ConfigDict(extra="ignore")


class StepEvent(DataMessage):
    """A part of the work on an application's data begins or ends."""

    event: Literal["step"]
    name: Line
    phase: Literal["start", "end"]
    failed: bool = False
    seconds: Seconds = 0.0
    bytes: Bytes = 0


class PartSaved(DataMessage):
    """A part, as it is in a backup."""

    id: Line
    kind: ShortLine = ""
    bytes: Bytes = 0
    added: Bytes = 0
    counts: Counts = Field(default_factory=dict)
    version: ShortLine = ""


class Proven(DataMessage):
    """When a backup was restored elsewhere to prove it, and whether that failed."""

    ended: Moment
    failed: bool


class Manifest(DataMessage):
    """A backup that is in the repository."""

    id: BackupId
    reason: ShortLine = ""
    started: Moment
    ended: Moment
    images: Annotated[dict[ShortLine, Line], Field(max_length=100)] = Field(default_factory=dict)
    parts: Annotated[tuple[PartSaved, ...], Field(max_length=MOST_PARTS_OF_APPLICATION)] = ()
    proof: Proven | None = None


class Newest(Manifest):
    """The same as the program notes it: with sums."""

    bytes: Bytes = 0
    added: Bytes = 0


class LastRun(DataMessage):
    """How the last attempt at a backup ended."""

    id: BackupId | Literal[""] = ""
    ended: Moment
    failed: bool
    error: Words = ""
    part: Line = ""


class LastCheck(DataMessage):
    """How the last look into the repository ended: whether what is in it can be read."""

    ended: Moment
    failed: bool
    error: Words = ""


class Result(DataMessage):
    """What the program noted of its last runs."""

    repository: Line = ""
    newest: Newest | None = None
    last: LastRun | None = None
    check: LastCheck | None = None
    note: Words = ""
    proof: Proven | None = None


class Journal(DataMessage):
    """What is noted of a restore as long as it has not ended."""

    backup: BackupId


class BackupsListed(DataMessage):
    """The backups in the repository; `record` is what the program noted, as text."""

    event: Literal["backups"]
    backups: Annotated[tuple[Manifest, ...], Field(max_length=MOST_BACKUPS)]
    notes: Annotated[tuple[Words, ...], Field(max_length=1000)] = ()
    record: Annotated[Text, Field(max_length=LONGEST_TEXT)] = ""


class BackedUp(DataMessage):
    """A backup was made."""

    event: Literal["backed_up"]
    result: Result


class ProofNoted(DataMessage):
    """A proof lies beside the backup."""

    event: Literal["proof_noted"]
    backup: BackupId


class Amount(DataMessage):
    """How much there is of a part."""

    bytes: Bytes = 0
    counts: Counts = Field(default_factory=dict)


class PartReplaced(DataMessage):
    """A part that a restore replaces, if it is in the backup; `absent`: there is nothing of it now."""

    id: Line
    kind: ShortLine = ""
    was: Amount | None = None
    becomes: Amount | None = None
    absent: bool = False


class RestoreTold(DataMessage):
    """What a restore would do."""

    backup: Manifest
    parts: Annotated[tuple[PartReplaced, ...], Field(max_length=MOST_PARTS_OF_APPLICATION)]
    stop: Annotated[tuple[ShortLine, ...], Field(max_length=100)] = ()
    after: Annotated[tuple[ShortLine, ...], Field(max_length=100)] = ()
    bytes: Bytes = 0
    free: Bytes = 0
    interrupted: BackupId | Literal[""] = ""
    notes: Annotated[tuple[Words, ...], Field(max_length=1000)] = ()


class Restorable(DataMessage):
    """What a restore would do, and a digest of what that rests on."""

    event: Literal["restorable"]
    basis: Sha256
    plan: RestoreTold


class RestoreDone(DataMessage):
    """What a restore came to."""

    backup: BackupId
    before: BackupId | Literal[""] = ""
    differences: Annotated[tuple[Words, ...], Field(max_length=1000)] = ()
    seconds: Seconds = 0.0


class Restored(DataMessage):
    """A backup was restored."""

    event: Literal["restored"]
    restored: RestoreDone


class Closed(DataMessage):
    """What is written down of a closed application: by which migration, since when, and what ran then.

    `note`: why it is not closed as was asked.
    """

    migration: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    since: Moment
    why: ShortLine = ""
    running: Annotated[tuple[ShortLine, ...], Field(max_length=100)] = ()
    units: Annotated[tuple[ShortLine, ...], Field(max_length=200)] = ()
    domains: Annotated[tuple[Line, ...], Field(max_length=200)] = ()
    restored: bool = False
    note: Words = ""


class ApplicationClosed(DataMessage):
    """An application is closed."""

    event: Literal["closed"]
    closed: Closed


class Opened(DataMessage):
    """What it came to that an application was opened."""

    was_closed: bool


class ApplicationOpened(DataMessage):
    """An application is closed no more."""

    event: Literal["opened"]
    opened: Opened


class Followed(DataMessage):
    """What follows a restore has run, by its names; none if nothing was owed."""

    event: Literal["followed"]
    followed: Annotated[tuple[ShortLine, ...], Field(max_length=100)]


class UnitPace(DataMessage):
    """How many seconds a unit took to start and to stop, the last time since its host booted."""

    unit: ShortLine
    start: Seconds | None = None
    stop: Seconds | None = None


class Pace(DataMessage):
    """How long the units of an application take."""

    event: Literal["pace"]
    units: Annotated[tuple[UnitPace, ...], Field(max_length=200)]


class Certificate(DataMessage):
    """What Caddy has of a certificate: with its chain, its key unless it was not asked for, and of whom it has it."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    issuer: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
    domain: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
    crt: Annotated[Text, Field(max_length=LONGEST_CERTIFICATE)]
    key: Annotated[SecretStr, Field(max_length=LONGEST_CERTIFICATE)]
    json_: Annotated[Text, Field(max_length=LONGEST_CERTIFICATE, alias="json")]


class CertificatesTold(DataMessage):
    """The certificates of some sites."""

    event: Literal["certificates"]
    certificates: Annotated[tuple[Certificate, ...], Field(max_length=1000)]


class CertificatesTaken(DataMessage):
    """Certificates lie where Caddy finds them."""

    event: Literal["certificates_taken"]
    domains: Annotated[tuple[ShortLine, ...], Field(max_length=1000)]


DATA_MESSAGES = (
    StepEvent, PartSaved, Proven, Manifest, Newest, LastRun, LastCheck, Result, Journal, BackupsListed,
    BackedUp, ProofNoted, Amount, PartReplaced, RestoreTold, Restorable, RestoreDone, Restored, Closed,
    ApplicationClosed, Opened, ApplicationOpened, Followed, Certificate, CertificatesTold, CertificatesTaken,
)  # fmt: skip
