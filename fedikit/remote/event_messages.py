"""What a host says while it is at work, and at the end of it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedikit.remote.spoken import LONGEST_STEP_SECONDS, Action, Count, Id, Line, Message, Seconds, Words


class ItemEvent(Message):
    """Work on an item begins or ends."""

    event: Literal["item"]
    phase: Literal["start", "end"]
    id: Id
    action: Action
    seconds: Seconds = 0.0
    failed: bool = False
    kept: Words = ""
    saved: Line = ""

    @model_validator(mode="after")
    def _of_a_kind(self) -> "ItemEvent":
        if self.phase == "start" and (self.failed or self.kept or self.saved):
            raise ValueError("tells an end at its beginning")
        return self


class Done(Message):
    """The order is carried out."""

    event: Literal["done"]
    generation: Count
    seconds: Seconds
    unit: Line = ""


class Trouble(Message):
    """Something could not be done."""

    event: Literal["trouble"]
    code: Literal["failed", "busy", "stale", "blocked", "disk", "agent"]
    message: Words
    tail: Words
    hint: Words
    item: Line


class Alive(Message):
    """The agent is at work, and has nothing to tell but how many seconds it may be before it has."""

    event: Literal["alive"]
    longest: Annotated[float, Field(ge=0, le=LONGEST_STEP_SECONDS, allow_inf_nan=False)] = 0.0


class Noted(Message):
    """What was to be noted is."""

    event: Literal["noted"]


class Unconfirmed(Message):
    """A change that is undone after so many seconds, unless the deployer comes anew and confirms it by its token."""

    event: Literal["unconfirmed"]
    token: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    seconds: Annotated[int, Field(ge=1, le=600)]


class Confirmed(Message):
    """The change stays."""

    event: Literal["confirmed"]


class Renamed(Message):
    """How far a deployment is on its way to another name."""

    event: Literal["renamed"]
    state: Literal["ready", "done", "nothing", "both"]
    items: Count
    busy: Line
