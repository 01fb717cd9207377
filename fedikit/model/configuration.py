"""The configuration: the operator's choice of a domain, applications and their settings.

Its type is made from the catalogue: each application's settings stand under a key of its own.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, SecretStr, create_model, model_validator

from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.application import Application, Catalogue, Context, Settings
from fedikit.model.person import Chosen, Person
from fedikit.model.secret import SecretRef
from fedikit.model.value import DomainName

INITIAL_PASSWORDS = "initial-user/password"
"""What the initial user's passwords are called together."""
LONGEST_SITE = 230
"""Characters of a site's name: Caddy calls a file `issue_cert_NAME.lock`, and a file's name has at most 255 bytes."""
_NAME = re.compile("[a-z][a-z0-9-]*")


def initial_password(application: str) -> SecretRef:
    """The initial user's password in an application: its own in each, unless the operator gave one for all."""
    return SecretRef(name=f"{application}/initial-user", family=INITIAL_PASSWORDS)


def _one_line(password: SecretStr) -> SecretStr:
    if not password.get_secret_value().isprintable():
        raise ValueError("should be one line of text")
    return password


class InitialUser(Person):
    """The person who can sign in from the start, in every application that has accounts."""

    password: Annotated[SecretStr, Field(min_length=12, max_length=128), AfterValidator(_one_line)] | None = None
    """The password to sign in with, the same everywhere; if absent, one for each application is derived from the
    provider's master key."""


class Configuration(Chosen):
    """What the operator chose."""

    enable: bool = True
    """Whether anything is deployed at all."""
    domain: DomainName = Field(description="The domain under which everything is found.", examples=["example.org"])
    initial_user: InitialUser = Field(title="Initial user", description="The person who can sign in from the start.")
    catalogue: ClassVar[Catalogue] = {}
    """The applications that could be chosen."""

    @model_validator(mode="after")
    def _is_what_the_applications_take(self) -> "Configuration":
        if mistakes := sorted({mistake for name in self.enabled() for mistake in self._refused_by(name)}):
            raise ConfigurationError("configuration", mistakes)
        return self

    def _refused_by(self, name: str) -> Iterator[Mistake]:
        """What an application does not take of the initial user, and of its own settings."""
        application, password = self.catalogue[name], self.initial_user.password
        secret = password.get_secret_value() if password else None
        yield from application.limits.mistakes(name, self.initial_user, secret)
        if words := self._too_long_for(name):
            yield Mistake("domain", words)
            return
        for mistake in application.mistakes(self.settings(name), self.context):
            yield Mistake(f"{name}.{mistake.path}", mistake.message)

    def _too_long_for(self, name: str) -> str:
        """Where a name that leads to an application would be too long for the files that are called by it."""
        subdomain = getattr(self.settings(name), "subdomain", None)
        longest = f"media.{subdomain}.{self.domain}"
        if subdomain is None or len(longest) <= LONGEST_SITE:
            return ""
        return f"is too long by {len(longest) - LONGEST_SITE} characters: servers keep files by the names of {name}"

    @property
    def context(self) -> Context:
        """What every application may know; no password is in it."""
        person = self.initial_user.model_dump(exclude={"password"}, by_alias=True)
        return Context(domain=self.domain, initial_user=Person.model_validate(person))

    @property
    def given(self) -> dict[str, SecretStr]:
        """The secrets that the operator gave instead of having them derived, by label."""
        password = self.initial_user.password
        return {INITIAL_PASSWORDS: password} if password else {}

    def settings(self, application: str) -> Settings:
        """The settings of an application of the catalogue."""
        settings: Settings = getattr(self, _field_name(application))
        return settings

    def enabled(self) -> dict[str, Application[Any]]:
        """The applications that are to be deployed, in the order of their names."""
        chosen = {name: self.catalogue[name] for name in sorted(self.catalogue) if self.settings(name).enable}
        return chosen if self.enable else {}

    def only(self, application: str) -> "Configuration":
        """The same choice without all other applications."""
        others = [name for name in self.enabled() if name != application]
        resting = {_field_name(name): self.settings(name).model_copy(update={"enable": False}) for name in others}
        return self.model_copy(update=resting)


def own_keys() -> frozenset[str]:
    """The keys of a configuration that name no application."""
    return frozenset(field.alias or name for name, field in Configuration.model_fields.items())


def configuration_model(catalogue: Catalogue) -> type[Configuration]:
    """The type of the configurations in which these applications can be chosen.

    Raises ConfigurationError when an application does not fit in: its settings need defaults, its name must be free.
    """
    return _model_of(tuple(sorted(catalogue.items())))


@cache
def _model_of(applications: tuple[tuple[str, Application[Any]], ...]) -> type[Configuration]:
    mistakes = [mistake for name, application in applications for mistake in _misfits(name, application)]
    if mistakes:
        raise ConfigurationError("the catalogue", mistakes)
    fields: dict[str, Any] = {_field_name(name): _field(name, application) for name, application in applications}
    model = create_model("Configuration", __base__=Configuration, __doc__=Configuration.__doc__, **fields)
    model.catalogue = dict(applications)
    return model


def _field_name(application: str) -> str:
    """Out of the way of pydantic's own attributes, so that an application may be called `copy` or `json`."""
    return f"application_{application.replace('-', '_')}"


def _field(name: str, application: Application[Any]) -> tuple[type[Settings], Any]:
    settings = application.settings
    description = (type(application).__doc__ or f"The application {name}.").strip()
    return settings, Field(default_factory=settings, alias=name, title=name, description=description)


def _misfits(name: str, application: Application[Any]) -> list[Mistake]:
    """Why an application cannot be offered."""
    needed = [key for key, field in application.settings.model_fields.items() if field.is_required()]
    return [
        *([Mistake(name, "is a key of the configuration itself")] if name in own_keys() else []),
        *([Mistake(name, "should be small letters, digits and dashes")] if not _NAME.fullmatch(name) else []),
        *(Mistake(f"{name}.{key}", "needs a default: `enable` must be enough") for key in needed),
    ]
