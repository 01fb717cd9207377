"""Recipes: applications with a web site, written down in the words of upstream's own documentation.

    class Blog(WebApplication[BlogSettings]):
        name, image = "blog", "docker.io/example/blog:v1.2.3"

        def recipe(self, r: Recipe, s: BlogSettings) -> None:
            r.postgresql(env="DB_HOST DB_PORT DB_NAME DB_USER DB_PASS")
            r.env(SITE=r.domain, SECRET=r.secret("key", "hex64"))
            port = r.port("web", 3000)
            r.container("web", "serve --port 3000", port=port, live="/health")
            r.site({"/*": port})

What is called first is made first. The recorder turns it into requests; the policies do the rest.
"""

import shlex
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from sys import modules
from typing import Any, ClassVar, TypeVar

from fedikit.errors import Mistake
from fedikit.model.application import Application, Context
from fedikit.model.check import Check, HttpAnswers, NodeInfo, WebFinger
from fedikit.model.data import AfterRestore
from fedikit.model.permission import Permission
from fedikit.model.posts import NewestPost
from fedikit.model.recording import Recording, WebSettings
from fedikit.model.request import (
    CommandHealth,
    Container,
    HttpHealth,
    OneOffJob,
    OpenPort,
    Requests,
    Route,
    SystemService,
    Task,
    Volume,
    WebSite,
)
from fedikit.model.resource import (
    Cache,
    LocalPort,
    MailRelay,
    MariaDatabase,
    ObjectBucket,
    OtherServers,
    PostgresDatabase,
)
from fedikit.model.secret import SecretFormat, SecretRef
from fedikit.model.text import FactReference, Text
from fedikit.model.value import DomainName

_INTERPRETERS = {
    ".rb": ("bin/rails", "runner"),
    ".php": ("php", "-r"),
    ".sh": ("sh", "-c"),
    ".py": ("python3", "-I", "-c"),
}


class Recipe(Recording):
    """Writes down what an application needs."""

    def __init__(self, application: "WebApplication[Any]", settings: WebSettings, context: Context) -> None:
        super().__init__(application, settings, context)
        self._image = application.image

    # What it uses

    def postgresql(self, *, env: str, extensions: Sequence[str] = (), connections: int = 20) -> PostgresDatabase:
        """A PostgreSQL database. `env`: the variables of its host, port, name, user and password, in this order."""
        name = self._application.name
        database = PostgresDatabase(name=name, extensions=tuple(extensions), connections=connections)
        self._add(database)
        self._name(env, database.host, database.port, database.name, database.user, database.password)
        return database

    def mariadb(self, *, env: str) -> MariaDatabase:
        """A MariaDB database. `env`: the variables of its host, port, name, user and password, in this order."""
        database = MariaDatabase(name=self._application.name)
        self._add(database)
        self._name(env, database.host, database.port, database.name, database.user, database.password)
        return database

    def cache(self, *, env: str) -> Cache:
        """A Redis of its own. `env`: the variables of its host, port and password, in this order."""
        cache = Cache(name=self._application.name, at=self.port("cache").number)
        self._add(cache)
        self._name(env, cache.host, cache.port, cache.password)
        return cache

    def bucket(self, name: str = "", *, public: str | None = None, **options: Any) -> ObjectBucket:
        """A bucket; with `public`, everybody may read it under that name before the application's own.

        Further options are those of `ObjectBucket`. All buckets of an application have the same key.
        """
        public_at = f"{public}.{self.domain}" if public else None
        return self._add(ObjectBucket(name=self._named(name), public_at=public_at, **options))

    def permission(self, path: str, **headers: str) -> Permission:
        """What its own site says to a path; headers are given with _ for -."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return Permission(domain=self.domain, path=path, headers=named)

    def mail(self, *, needed_for: str = "", **options: Any) -> MailRelay:
        """A mail relay; where it is needed for something, an environment without one is refused.

        Further options are those of `MailRelay`: what of a relay the application cannot use.
        """
        return self._add(MailRelay(domain=self.domain, needed_for=needed_for, **options))

    def other_servers(self) -> OtherServers:
        """What the provider says of the servers that it will speak with."""
        return self._add(OtherServers())

    def port(self, name: str, usually: int | None = None) -> LocalPort:
        """A port at which something of it listens, most often at 127.0.0.1; `usually`: the one that upstream uses."""
        return self._add(LocalPort(name=self._named(name), usually=usually))

    def secret(
        self, label: str, form: SecretFormat = "password", *, permanent: bool = False, given: bool = False
    ) -> SecretRef:
        """A secret of its own. Its label must never change. `given`: somebody else makes it."""
        return SecretRef(name=f"{self._application.name}/{label}", format=form, permanent=permanent, given=given)

    def volume(self, name: str, mount: str, *, owner: int = 0, **options: Any) -> Volume:
        """A directory that bears data; `owner` is the number of its user inside of containers.

        Further options are those of `Volume`: what of it no backup holds.
        """
        return Volume(name=self._named(name), mount=mount, owner=owner, **options)

    # What runs

    def container(
        self,
        name: str,
        command: str = "",
        *,
        port: LocalPort | None = None,
        also_at: Sequence[LocalPort] = (),
        open_at: Sequence[LocalPort] = (),
        live: str | CommandHealth | None = None,
        ready: str | None = None,
        env: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Container:
        """A container that always runs.

        `live`: a path at its port, or a command, by which it counts as started. `ready`: a path at its port that says
        when it does its work, which may take long. `also_at`: further ports at which it listens. `open_at`: those that
        are for everybody. Further options are those of `Container`.
        """
        return self._add(
            Container(
                name=self._named(name),
                command=tuple(shlex.split(command)),
                ports=tuple(one.number for one in (port, *also_at) if one),
                open=tuple(OpenPort(port=one.number) for one in open_at),
                health=live if isinstance(live, CommandHealth) else self._answer(port, live),
                ready=self._answer(port, ready),
                environment=dict(env or {}),
                **{"image": self._image, **options},
            )
        )

    def once(
        self,
        name: str,
        command: str,
        *,
        check: str = "",
        script: str = "",
        env: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> OneOffJob:
        """A command in a container of its own, once for each version of its image, in its place between the others.

        With a `script`, which lies beside the recipe, `command` is its arguments; it is called as that of a task is.
        """
        run, look = tuple(shlex.split(command)), tuple(shlex.split(check))
        if script:
            run, look = ((*self._script(script), verb, *run) for verb in ("make", "check"))
        job = OneOffJob(
            name=name, run=run, check=look, environment=dict(env or {}), **{"image": self._image, **options}
        )
        return self._add(job)

    def service(self, unit: str, *packages: str, **options: Any) -> SystemService:
        """A service that Debian packages bring; further options are those of `SystemService`."""
        return self._add(SystemService(unit=unit, packages=packages, **options))

    def task(
        self,
        where: Container | None,
        name: str,
        script: str,
        *arguments: str | FactReference,
        stdin: Text = "",
        asked_first: bool = True,
        **options: Any,
    ) -> None:
        """Runs a script that lies beside the recipe: in a container, or (.py) on the host.

        It is called as `check ARGUMENTS` first, and as `make ARGUMENTS` if that does not exit with 0; secrets come by
        standard input only. One that takes long to start, and looks for itself, need not be asked first.
        """
        command = self._script(script)
        run, check = (*command, "make", *arguments), (*command, "check", *arguments) if asked_first else ()
        container = where.name if where else None
        self._add(Task(name=name, container=container, run=run, check=check, stdin=stdin, **options))

    def after_restore(self, where: Container, name: str, command: str, **options: Any) -> None:
        """A command in a container, which makes anew what no backup holds, once a restore has put the data back.

        Further options are those of `AfterRestore`.
        """
        run = tuple(shlex.split(command))
        self.restored.append(AfterRestore(name=name, container=where.name, run=run, **options))

    # How it is reached, and how one sees that it works

    def site(self, routes: Mapping[str, LocalPort | int], *, domain: str | None = None, **options: Any) -> WebSite:
        """A web site, in front of ports by path; at the application's own domain if no other is given."""
        listed = tuple(Route(path=path, port=getattr(port, "number", port)) for path, port in routes.items())
        return self._add(WebSite(domain=domain or self.domain, routes=listed, **options))

    def answers(self, path: str, *, contains: str = "") -> None:
        """A check: a page answers, and shows some text."""
        url = f"https://{self.domain}{path}"
        self.check(HttpAnswers(application=self._application.name, url=url, contains=contains))

    def nodeinfo(self) -> None:
        """A check: it tells other servers what it is."""
        name = self._application.name
        self.check(NodeInfo(application=name, domain=self.domain, software=name))

    def webfinger(self, *, domain: str | None = None) -> None:
        """A check: other servers find the initial user, by a handle at the domain."""
        handle = f"{self.person.username}@{domain or self.domain}"
        self.check(WebFinger(application=self._application.name, domain=domain or self.domain, account=handle))

    def newest_post(self, path: str, **how: Any) -> None:
        """Where visitors find the newest public post, by which people see that a backup was restored.

        Further options are those of `NewestPost`: in which form it is listed there.
        """
        self.posts = NewestPost(domain=self.domain, url=f"https://{self.domain}{path}", **how)

    def _answer(self, port: LocalPort | None, path: str | None) -> HttpHealth | None:
        if port is None or path is None:
            return None
        return HttpHealth(port=port.number, path=path, domain=self.domain)

    def _script(self, name: str) -> tuple[str, ...]:
        """The command that runs it; its text is part of the command line, for it holds no secret."""
        beside = Path(modules[type(self._application).__module__].__file__ or "").with_name(name)
        text = beside.read_text("utf-8").removeprefix("<?php\n")
        return (*_INTERPRETERS[beside.suffix], text, *(["sh"] if beside.suffix == ".sh" else []))


SettingsT = TypeVar("SettingsT", bound=WebSettings)


class WebApplication(Application[SettingsT]):
    """An application with a web site. A subclass says what it is in `recipe`."""

    image: ClassVar[str] = ""
    """The image of its containers, with its version; none where it runs in no container."""

    @abstractmethod
    def recipe(self, r: Recipe, s: SettingsT) -> None:
        """Writes down what the settings ask for."""

    def requests(self, settings: SettingsT, context: Context) -> Requests:
        return self._recorded(settings, context).finished()

    def checks(self, settings: SettingsT, context: Context) -> Sequence[Check]:
        return self._recorded(settings, context).checks

    def known_by(self, settings: SettingsT, context: Context) -> Mapping[str, DomainName]:
        return self._recorded(settings, context).known_by

    def after_restore(self, settings: SettingsT, context: Context) -> Sequence[AfterRestore]:
        return self._recorded(settings, context).restored

    def newest_post(self, settings: SettingsT, context: Context) -> NewestPost | None:
        return self._recorded(settings, context).posts

    def mistakes(self, settings: SettingsT, context: Context) -> Sequence[Mistake]:
        return self._recorded(settings, context).mistakes

    def _recorded(self, settings: SettingsT, context: Context) -> Recipe:
        recipe = Recipe(self, settings, context)
        self.recipe(recipe, settings)
        return recipe
