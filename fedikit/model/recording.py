"""What a recipe writes down, in the order in which it is called."""

from collections.abc import Iterator
from typing import Any, TypeVar

from fedikit.errors import Mistake
from fedikit.model.application import Application, Context, Settings
from fedikit.model.check import Check
from fedikit.model.configuration import initial_password
from fedikit.model.data import AfterRestore
from fedikit.model.person import Person
from fedikit.model.posts import NewestPost
from fedikit.model.request import Container, OneOffJob, Request, Requests, Variables, WebSite
from fedikit.model.text import Text
from fedikit.model.upstream import upstream_values
from fedikit.model.value import Subdomain

RequestT = TypeVar("RequestT", bound=Request)


class WebSettings(Settings):
    """Settings of an application that has a web site of its own."""

    subdomain: Subdomain = "www"
    """What stands before the domain in its web address. Can never change."""


class Recording:
    """`requests`, `checks`, `posts`, `restored` and `mistakes` come of it, once all is written down."""

    def __init__(self, application: Application[Any], settings: WebSettings, context: Context) -> None:
        self.context = context
        self.domain = context.site(settings.subdomain)
        self.person: Person = context.initial_user
        self.password = initial_password(application.name)
        self.requests: Requests = {}
        self.checks: list[Check] = []
        self.mistakes: list[Mistake] = []
        self.known_by: dict[str, str] = {}
        self.restored: list[AfterRestore] = []
        self.posts: NewestPost | None = None
        self._application = application
        self._values: dict[str, Text] = dict(upstream_values(settings))

    def env(self, **values: Text | bool | None) -> None:
        """Variables of all containers and jobs. None is left out, and so is a fact that there is not; "" is written.

        True and False are written as `true` and `false`.
        """
        spelt = {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items()}
        self._values |= {name: value for name, value in spelt.items() if value is not None}

    def handles(self, domain: str) -> None:
        """Notes the domain by which people are known, which can never change: a plan refuses another where data is.

        The domain of the first site is noted anyway.
        """
        self.known_by["handles"] = domain

    def web_address(self, domain: str) -> None:
        """Notes the domain in the addresses of posts and profiles, where the first site is another one's."""
        self.known_by["web address"] = domain

    def check(self, check: Check) -> None:
        """Notes any other check."""
        self.checks.append(check)

    def refuse(self, setting: str, message: str) -> None:
        """Notes what does not go together in the settings; `setting` as it is written in the configuration."""
        self.mistakes.append(Mistake(setting, message))

    def finished(self) -> Requests:
        """The requests, with what is known of them once all are there."""
        return dict(self._completed())

    def _completed(self) -> Iterator[tuple[str, Request]]:
        """All variables are in everything that runs; sites may be read if one of the containers may."""
        variables = Variables(name=self._application.name, values=self._values)
        reads = any(isinstance(request, Container) and request.reads for request in self.requests.values())
        for name, request in self.requests.items():
            if isinstance(request, Container | OneOffJob) and variables.values:
                yield name, request.model_copy(update={"variables": variables})
            elif isinstance(request, WebSite) and reads:
                yield name, request.model_copy(update={"reads": True})
            else:
                yield name, request

    def _add(self, request: RequestT) -> RequestT:
        self.requests[f"{len(self.requests)} {request.kind}"] = request
        return request

    def _named(self, name: str) -> str:
        return f"{self._application.name}-{name}" if name else self._application.name

    def _name(self, env: str, *texts: Text) -> None:
        self._values |= dict(zip(env.split(), texts, strict=True))
