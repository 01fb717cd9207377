"""Applications: what an operator may set, which resources that requests, and how one sees that it works."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from fedikit.model.check import Check
from fedikit.model.function import TypedFunction
from fedikit.model.request import Requests
from fedikit.model.value import AccountName, DomainName, EmailAddress, Line, Value, Written


class Chosen(Written):
    """A part of the configuration; its keys are in camelCase there."""

    model_config = ConfigDict(alias_generator=to_camel)


class Settings(Chosen):
    """What an operator may set of an application. Every setting has a default, so that `enable` is enough."""

    enable: bool = False
    """Whether the application is deployed."""


Checks = tuple[Check, ...]
SettingsT = TypeVar("SettingsT", bound=Settings)


class Person(Chosen):
    """Someone with an account."""

    display_name: Line = Field(min_length=1, max_length=80, description="The name that others see.")
    username: AccountName = Field(description="The name to sign in with: small letters, digits and _.")
    email: EmailAddress = Field(title="E-mail", description="Where mail reaches this person.")


class Context(Value):
    """What every application may know."""

    domain: DomainName
    initial_user: Person

    def site(self, subdomain: str) -> str:
        """The domain name of a web site of its own."""
        return f"{subdomain}.{self.domain}"


@dataclass(frozen=True)
class Application(ABC, Generic[SettingsT]):
    """User-facing software: knows its settings and what they ask for, and nothing of hosts.

    A subclass names its settings as the type argument: `class Hello(Application[HelloSettings])`.
    """

    name: ClassVar[str]
    """The key of its settings in the configuration; small letters, digits and -."""
    settings: ClassVar[type[Settings]]

    def __init_subclass__(cls) -> None:
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Application:
                cls.settings = get_args(base)[0]

    @abstractmethod
    def requests(self, settings: SettingsT, context: Context) -> Requests:
        """What the settings ask for, each request by a name of the application's choice."""

    def checks(self, settings: SettingsT, context: Context) -> Sequence[Check]:
        """How a user would see, from outside, that it works."""
        return ()

    def typed_requests(self, context: Context) -> TypedFunction[SettingsT, Requests]:
        """`requests` as a typed function of the settings."""
        return TypedFunction(
            f"application {self.name}", self.settings, Requests, lambda settings: self.requests(settings, context)
        )

    def typed_checks(self, context: Context) -> TypedFunction[SettingsT, Checks]:
        """`checks` as a typed function of the settings."""
        return TypedFunction(
            f"application {self.name}", self.settings, Checks, lambda settings: self.checks(settings, context)
        )


Catalogue = Mapping[str, Application[Any]]
"""The applications that can be chosen, by name."""
