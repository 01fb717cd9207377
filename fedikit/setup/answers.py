"""Answers: what `fedikit init` has to know, and the two files that come of it, as text."""

import json
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from fedikit.environment.load import load_catalogue
from fedikit.model.application import Context
from fedikit.model.configuration import configuration_model
from fedikit.model.host_key import HostKey
from fedikit.model.person import Person
from fedikit.model.value import AccountName, DomainName, EmailAddress, HostName, Line, Port, UnixName, Value

MASTER_KEY, KEY_PAIR = "master.key", "id_ed25519"
"""What the files with the keys are called."""


class FirstHost(Value):
    """The host that the environment begins with."""

    name: HostName
    address: Annotated[str, Field(pattern=r"^[A-Za-z0-9:]([A-Za-z0-9.:-]*[A-Za-z0-9:])?$")]
    host_key: HostKey
    user: UnixName = "root"
    port: Port = 22


class Answers(Value):
    """Everything that is asked."""

    domain: DomainName
    name: Annotated[Line, Field(min_length=1, max_length=80)]
    """The initial user's, that others see."""
    username: AccountName
    email: EmailAddress
    applications: tuple[str, ...]
    certificates_email: EmailAddress
    """Whom the authority of certificates may write to."""
    host: FirstHost | None = None
    identity_file: Line = KEY_PAIR
    """The private key to log in with; the pair is made if it is called as usual."""

    @property
    def makes_key_pair(self) -> bool:
        return self.identity_file == KEY_PAIR


def configuration_text(answers: Answers) -> str:
    """The operator's file."""
    chosen = {name: {"enable": True} for name in answers.applications}
    user = {"displayName": answers.name, "username": answers.username, "email": answers.email}
    document = {"enable": True, "domain": answers.domain, **chosen, "initialUser": user}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def environment_text(answers: Answers) -> str:
    """The provider's file: no more than it takes, with a word to each part."""
    return "\n\n".join(_parts(answers)) + "\n"


SECRETS = """\
# All secrets are derived from this key. Its file is no part of what you share; keep a copy of it in a safe place.
[secrets]
master_key = "file:{file}"\
"""
WEB = """\
# Web sites get certificates from Let's Encrypt, which writes here if something is wrong with them.
[policies.web]
means = "caddy"
email = {email}\
"""
BUCKET = """\
# Pictures and films are kept by Garage, on the same host.
[policies.bucket]
means = "garage"
host = {host}\
"""


def _parts(answers: Answers) -> Iterator[str]:
    yield "# Where the services run, and by which means. docs/environment.md explains each key."
    name = _quoted(answers.domain.split(".")[0])
    yield f"# Hosts remember under this name what is deployed there: it stays.\nname = {name}"
    asked = kinds_asked(answers)
    if "web" in asked:
        yield WEB.format(email=_quoted(answers.certificates_email))
    if "bucket" in asked:
        text = BUCKET.format(host=_quoted(answers.host.name if answers.host else "HOST"))
        yield text if answers.host else text.replace("\n", "\n# ").replace("# [", "# Once there is a host:\n# [")
    yield SECRETS.format(file=MASTER_KEY)
    if host := answers.host:
        yield _host(host, answers.identity_file)
        placed = "\n".join(f"{name} = {_quoted(host.name)}" for name in answers.applications)
        yield f"# Which application runs where.\n[placement]\n{placed}"


def _host(host: FirstHost, identity_file: str) -> str:
    lines = [
        "# A host that shows another key than this one is refused.",
        f"[hosts.{host.name}]",
        f"address = {_quoted(host.address)}",
        *([f"port = {host.port}"] if host.port != 22 else []),
        f"user = {_quoted(host.user)}",
        f"host_key = {_quoted(host.host_key)}",
        *([f"identity_file = {_quoted(identity_file)}"] if identity_file else []),
    ]
    return "\n".join(lines)


def kinds_asked(answers: Answers) -> set[str]:
    """The kinds of requests that the chosen applications make."""
    catalogue = load_catalogue()
    chosen = [catalogue[name] for name in answers.applications if name in catalogue]
    settings = configuration_model(catalogue).model_validate_json(configuration_text(answers))
    person = Person(displayName=answers.name, username=answers.username, email=answers.email)
    context = Context(domain=answers.domain, initial_user=person)
    asked = (application.typed_requests(context)(settings.settings(application.name)) for application in chosen)
    return {request.kind for requests in asked for request in requests.values()}


def _quoted(text: str) -> str:
    """A string of TOML: what JSON makes of one line is one there, too."""
    return json.dumps(text, ensure_ascii=False)
