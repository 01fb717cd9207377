"""Applications: what an operator may set, which resources that requests, and how one sees that it works."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from fedikit.errors import Mistake
from fedikit.model.account import Account
from fedikit.model.check import Check
from fedikit.model.data import AfterRestore
from fedikit.model.function import TypedFunction
from fedikit.model.limits import Limits
from fedikit.model.person import Chosen, Person
from fedikit.model.posts import NewestPost
from fedikit.model.request import Requests
from fedikit.model.value import DomainName, Value


class Settings(Chosen):
    """What an operator may set of an application. Every setting has a default, so that `enable` is enough."""

    enable: bool = False
    """Whether the application is deployed."""


Checks = tuple[Check, ...]
SettingsT = TypeVar("SettingsT", bound=Settings)


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
    limits: ClassVar[Limits] = Limits()
    """What it does not take of the initial user."""
    memory_megabytes: ClassVar[int] = 0
    """How much memory its host should have for it, by upstream's word or as measured; 0 where that is not known."""

    def __init_subclass__(cls) -> None:
        for base in getattr(cls, "__orig_bases__", ()):
            kind, arguments = get_origin(base), get_args(base)
            if isinstance(kind, type) and issubclass(kind, Application) and isinstance(arguments[0], type):
                cls.settings = arguments[0]

    @abstractmethod
    def requests(self, settings: SettingsT, context: Context) -> Requests:
        """What the settings ask for, each request by a name of the application's choice."""

    def checks(self, settings: SettingsT, context: Context) -> Sequence[Check]:
        """How a user would see, from outside, that it works."""
        return ()

    def known_by(self, settings: SettingsT, context: Context) -> Mapping[str, DomainName]:
        """What other servers know its users by, and must never change, besides the domain of its first site."""
        return {}

    def after_restore(self, settings: SettingsT, context: Context) -> Sequence[AfterRestore]:
        """What makes anew what backups leave out, in the order in which it runs."""
        return ()

    def newest_post(self, settings: SettingsT, context: Context) -> NewestPost | None:
        """Where visitors find the newest public post; nothing if it has no posts."""
        return None

    def accounts(self, context: Context) -> dict[str, Account]:
        """The initial user's account, by its name; none where there are no accounts."""
        person, limits = context.initial_user, self.limits
        if not limits.rights:
            return {}
        account = Account(username=person.username, email=person.email, rights=limits.rights, address=limits.address)
        return {self.name: account}

    def mistakes(self, settings: SettingsT, context: Context) -> Sequence[Mistake]:
        """What does not go together in the settings, each by its path below them."""
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
