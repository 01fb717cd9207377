"""What each runbook may be given: one model for each, the truth for its cell, command line and panel.

Rule: parameters end up in records and notebooks, so they carry references to secrets, never secrets.
"""

from importlib import import_module
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, SecretBytes, SecretStr, model_validator

from fedikit.errors import FedikitError
from fedikit.model.value import HostName, Value


def _holds_a_secret(annotation: Any) -> bool:
    if annotation in (SecretStr, SecretBytes):
        return True
    return any(_holds_a_secret(argument) for argument in get_args(annotation))


class RunbookParameters(Value):
    """The parameters of one runbook; a runbook that changes hosts has a field `dry_run`, true by default."""

    runbook: ClassVar[str]
    files: ClassVar[tuple[str, ...]] = ()
    """The names of the fields that hold paths of files which must exist."""
    environments: ClassVar[tuple[str, ...]] = ("environment",)
    """Those of them that are providers' files: one run at a time works on what each of them is about."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            if _holds_a_secret(field.annotation):
                raise TypeError(f"{cls.__name__}.{name}: parameters are recorded; take a reference to the secret")

    @property
    def is_dry_run(self) -> bool | None:
        """Whether nothing may be changed; None where the runbook never changes anything."""
        return getattr(self, "dry_run", None)


ConfigurationPath = Annotated[
    str, Field(min_length=1, description="The operator's file; relative to where you are, or to the project.")
]
EnvironmentPath = Annotated[
    str,
    Field(min_length=1, description="The hosting provider's file; relative to where you are, or to the project."),
]
Limit = Annotated[tuple[HostName, ...], Field(description="Only these hosts; all if empty.")]
Drift = Annotated[
    Literal["restore", "keep"],
    Field(description="Files that somebody edited on a host: restored (that edition is saved there) or kept."),
]
Purge = Annotated[bool, Field(description="Also destroy the data of what leaves; else it is kept and reported.")]
Consent = Annotated[
    tuple[str, ...],
    Field(description="What may become another though data or other servers know it: a new domain, say."),
]
Agreed = Annotated[
    str,
    Field(
        pattern=r"^([0-9a-f]{64})?$",
        description="The digest of the plan that was looked at: any other is refused. Any will do if empty.",
    ),
]
Obstacles = Annotated[
    Literal["say", "stop"],
    Field(
        description="If something stands in the way, such as a name that leads elsewhere: say it, or stop before it."
    ),
]
At = Annotated[
    str, Field(description="The newest backup of that time or day (UTC), or the one of this name; else the newest.")
]
Applications = Annotated[tuple[str, ...], Field(description="Only these applications; all if empty.")]
NamesWithin = Annotated[
    float, Field(ge=0, le=10080, description="For how many minutes to wait for names that somebody sets by hand.")
]
DryRun = Annotated[bool, Field(description="Stop after the plan and change nothing.")]

SAMPLE_CONFIGURATION = "configuration.sample.json"
LAB_ENVIRONMENT = ".lab/environment.toml"


class DeployParameters(RunbookParameters):
    """Brings the hosts to what the configuration wants."""

    runbook = "deploy"
    files = ("configuration", "environment")

    configuration: ConfigurationPath = SAMPLE_CONFIGURATION
    environment: EnvironmentPath = LAB_ENVIRONMENT
    limit: Limit = ()
    purge: Purge = False
    drift: Drift = "restore"
    consent: Consent = ()
    obstacles: Obstacles = "say"
    agreed: Agreed = ""
    dry_run: DryRun = True


class VerifyParameters(RunbookParameters):
    """Checks from outside, as a user would, that what the configuration wants is there; changes nothing."""

    runbook = "verify"
    files = ("configuration", "environment")

    configuration: ConfigurationPath = SAMPLE_CONFIGURATION
    environment: EnvironmentPath = LAB_ENVIRONMENT
    limit: Limit = ()


class RemoveParameters(RunbookParameters):
    """Takes away what fedikit owns on the hosts."""

    runbook = "remove"
    files = ("environment",)

    environment: EnvironmentPath = LAB_ENVIRONMENT
    limit: Limit = ()
    purge: Purge = False
    confirm: Annotated[str, Field(description="The environment's name: needed to purge, so that it is meant.")] = ""
    agreed: Agreed = ""
    dry_run: DryRun = True


class RollbackParameters(RunbookParameters):
    """Brings the hosts back to an earlier generation."""

    runbook = "rollback"
    files = ("configuration", "environment")

    configuration: ConfigurationPath = SAMPLE_CONFIGURATION
    environment: EnvironmentPath = LAB_ENVIRONMENT
    limit: Limit = ()
    to: Annotated[
        int | None, Field(ge=1, description="The generation wanted; the one before the present if absent.")
    ] = None
    agreed: Agreed = ""
    dry_run: DryRun = True


class UpgradeParameters(RunbookParameters):
    """Upgrades the packages that fedikit brought, one host after the other."""

    runbook = "upgrade"
    files = ("configuration", "environment")

    configuration: ConfigurationPath = SAMPLE_CONFIGURATION
    environment: EnvironmentPath = LAB_ENVIRONMENT
    limit: Limit = ()
    reboot: Annotated[bool, Field(description="Reboot machines that need it, and wait for them.")] = False
    restart_others: Annotated[bool, Field(description="Restart what runs old code also where it is not fedikit's.")] = (
        False
    )
    agreed: Agreed = ""
    dry_run: DryRun = True


class BackupParameters(RunbookParameters):
    """Has the hosts back up their applications now."""

    runbook = "backup"
    files = ("configuration", "environment")

    configuration: ConfigurationPath = SAMPLE_CONFIGURATION
    environment: EnvironmentPath = LAB_ENVIRONMENT
    limit: Limit = ()
    applications: Applications = ()
    dry_run: DryRun = True


class RestoreParameters(RunbookParameters):
    """Puts the data of applications back from a backup."""

    runbook = "restore"
    files = ("configuration", "environment")

    configuration: ConfigurationPath = SAMPLE_CONFIGURATION
    environment: EnvironmentPath = LAB_ENVIRONMENT
    limit: Limit = ()
    at: At = ""
    application: Annotated[str, Field(description="Only this application; all if empty.")] = ""
    without_saving: Annotated[bool, Field(description="Make no backup of what is there now: where that cannot be.")] = (
        False
    )
    agreed: Agreed = ""
    dry_run: DryRun = True


class ProveParameters(RunbookParameters):
    """Restores backups into a lab, to prove that it can be done."""

    runbook = "prove"
    files = ("configuration", "environment")

    configuration: ConfigurationPath = SAMPLE_CONFIGURATION
    environment: EnvironmentPath = LAB_ENVIRONMENT
    at: At = ""
    applications: Applications = ()
    dry_run: Annotated[bool, Field(description="Stop after the list of backups, and boot nothing.")] = True


class MigrateParameters(RunbookParameters):
    """Carries all applications to another provider, with their data, and back."""

    runbook = "migrate"
    files = ("configuration", "old", "new")
    environments = ("old", "new")

    configuration: ConfigurationPath = SAMPLE_CONFIGURATION
    old: Annotated[EnvironmentPath, Field(description="The file of the provider that is left.")] = LAB_ENVIRONMENT
    new: Annotated[EnvironmentPath, Field(description="The file of the provider to go to.")] = "new/environment.toml"
    rehearse: Annotated[bool, Field(description="Do all but the switch, and say how long nobody could write.")] = False
    back: Annotated[bool, Field(description="Go back, with what was written meanwhile.")] = False
    names_within: NamesWithin = 60.0
    agreed: Agreed = ""
    dry_run: DryRun = True

    @model_validator(mode="after")
    def _goes_one_way(self) -> Self:
        if self.rehearse and self.back:
            raise ValueError("rehearse and back are two things: choose one of them")
        return self


class MoveParameters(RunbookParameters):
    """Brings data along to another host or server of the environment."""

    runbook = "move"
    files = ("configuration", "environment")

    configuration: ConfigurationPath = SAMPLE_CONFIGURATION
    environment: EnvironmentPath = LAB_ENVIRONMENT
    instead: Annotated[str, Field(description="A move that nobody can go on with: goes on from what hosts know.")] = ""
    names_within: NamesWithin = 60.0
    agreed: Agreed = ""
    dry_run: DryRun = True


RUNBOOKS: dict[str, type[RunbookParameters]] = {
    model.runbook: model
    for model in (
        DeployParameters,
        VerifyParameters,
        RemoveParameters,
        RollbackParameters,
        UpgradeParameters,
        BackupParameters,
        RestoreParameters,
        ProveParameters,
        MigrateParameters,
        MoveParameters,
    )
}


def parameters_model(name: str) -> type[RunbookParameters]:
    """The model of one of our runbooks by its name, or any other as `package.module:Class`."""
    if name in RUNBOOKS:
        return RUNBOOKS[name]
    module_name, _, class_name = name.partition(":")
    try:
        model = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise FedikitError(f"there is no parameters model {name!r}", hint="name it as package.module:Class") from error
    if not (isinstance(model, type) and issubclass(model, RunbookParameters)):
        raise FedikitError(f"{name} is not a model of runbook parameters")
    return model
