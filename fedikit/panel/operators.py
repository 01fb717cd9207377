"""The provider's file `panel.toml`: who may sign in to the panel, for which files, and what each may do there."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from fedikit.environment.load import read_document
from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.configuration import own_keys
from fedikit.model.document import parse_toml
from fedikit.model.mistake import mistakes_in
from fedikit.model.value import Line, Written

OperatorName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$", description="A name to sign in with: small letters, digits and -.")
]
PasswordHash = Annotated[
    str,
    Field(
        pattern=r"^\$argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$",
        description="The argon2id hash of a password, as `fedikit panel password` prints it.",
    ),
]
SettingPath = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z][A-Za-z0-9]*)*$",
        description="A setting or a group of them, such as `domain`, `initialUser` or `pixelfed.title`.",
    ),
]
FilePath = Annotated[Line, Field(min_length=1)]


class Operator(Written):
    """Someone who runs services by the panel."""

    password: PasswordHash
    configuration: FilePath
    """The file that is theirs: what they choose is written there. Relative to the folder of `panel.toml`."""
    environment: FilePath
    """The provider's file with the hosts that serve them."""
    applications: tuple[str, ...] | None = None
    """The applications that they may install, change and remove; all of them if absent."""
    settings: tuple[SettingPath, ...] | None = None
    """What they may change, `enable` of their applications besides; everything if absent."""
    may_purge: bool = False
    """Whether they may also destroy the data of what they remove."""
    may_leave: bool = False
    """Whether they may move everything to another provider, whose file they bring; needs the right to change all."""
    approved_by: tuple[OperatorName, ...] = ()
    """Operators of whom one must agree to each change; nobody must if empty."""
    language: Literal["", "de", "en"] = ""
    """What the panel speaks with them; what their browser prefers if empty."""

    @property
    def is_restricted(self) -> bool:
        """Whether there is something that they may not change."""
        return self.applications is not None or self.settings is not None

    def may_change(self, path: str) -> bool:
        """Whether they may change the setting at a dotted path of the configuration, such as `pixelfed.title`."""
        head, _, rest = path.partition(".")
        is_of_an_application = head not in own_keys()
        if is_of_an_application and self.applications is not None and head not in self.applications:
            return False
        if self.settings is None or (is_of_an_application and rest == "enable"):
            return True
        return any(path == allowed or path.startswith(f"{allowed}.") for allowed in self.settings)


class PanelFile(Written):
    """Whom the panel serves, and for how long they stay signed in."""

    operators: Annotated[dict[OperatorName, Operator], Field(min_length=1)]
    """Each operator by the name to sign in with."""
    state: FilePath = "panel"
    """The folder in which the panel keeps drafts, records and sessions. Relative to that of `panel.toml`."""
    idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    """Who does nothing for so long is signed out."""
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12
    """Who signed in so long ago is signed out."""


def load_panel(path: str | Path) -> PanelFile:
    """Reads `panel.toml`; paths in it come out absolute. Raises ConfigurationError with all mistakes."""
    path = Path(path)
    document = read_document(path, parse_toml)
    try:
        panel = PanelFile.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        raise ConfigurationError(str(path), mistakes_in(error, document, known_keys=_known_keys)) from None
    if strangers := list(_strangers(panel)):
        raise ConfigurationError(str(path), strangers)
    return _anchored(panel, path.parent.absolute())


def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    return list(PanelFile.model_fields if not path else Operator.model_fields)


def _strangers(panel: PanelFile) -> "list[Mistake]":
    """Who must agree, yet is nobody who could, or is the one who asks."""
    return [
        Mistake(f"operators.{name}.approved_by", f"{other} is not another operator")
        for name, operator in panel.operators.items()
        for other in operator.approved_by
        if other not in panel.operators or other == name
    ]


def _anchored(panel: PanelFile, folder: Path) -> PanelFile:
    operators = {
        name: operator.model_copy(
            update={key: str(folder / getattr(operator, key)) for key in ("configuration", "environment")}
        )
        for name, operator in panel.operators.items()
    }
    return panel.model_copy(update={"operators": operators, "state": str(folder / panel.state)})
