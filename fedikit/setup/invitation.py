"""An invitation: the one file with which a provider lets somebody move in, by the panel of the provider that is left.

It holds an environment that is that operator's alone, whole: its hosts, the keys to log in there, its master key. So
whoever holds the file is root on these hosts. Who unpacks it trusts nobody who wrote it: it names nothing on this
machine but what it brings along.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import Field, ValidationError
from tomlkit.exceptions import TOMLKitError

from fedikit.environment.environment import Environment
from fedikit.environment.load import CERTIFICATE_FILES, load_environment
from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.document import Malformed, parse_json, parse_toml
from fedikit.model.host import Connection, DirectoryHost, Ssh
from fedikit.model.mistake import WHOLE, dotted, mistakes_in
from fedikit.model.ssh_server import SshServer, is_ip_address
from fedikit.model.value import Value
from fedikit.policies.mail import PASSWORD
from fedikit.setup.draft import Draft, place_files
from fedikit.setup.gathering import gather, parsed, value_at

FORMAT = "fedikit-invitation-1"
ENVIRONMENT = "environment.toml"
LARGEST = 1 << 20
"""Bytes that an invitation may have; one has some ten thousand."""
MOST_HOSTS = 32
BROUGHT = ("name", "hosts", "policies", "placement", "network", "dns", "secrets", "parallel")
"""What an environment may say elsewhere, too; whom to tell, and where to fetch packages, is each deployer's own."""
SOURCE = "the new provider's file"
_HINT = "nothing of it was kept; ask the new provider for another one, made by fedikit invite"
_ELSEWHERE = "may only name what the file brings along"

FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}\.(key|pem|sealed)$")]


class Invitation(Value):
    """The file as it is written."""

    format: Literal["fedikit-invitation-1"]
    environment: dict[str, Any]
    """The document, which names the files beside it by their names alone."""
    files: Annotated[dict[FileName, str], Field(max_length=64)]


def make_invitation(path: Path, *, with_dns: bool = False) -> str:
    """The invitation to the environment of a file.

    `with_dns`: the key that updates names comes along. Raises ConfigurationError where something of it could not be
    taken along, SecretError for a secret that cannot be read.
    """
    loaded = load_environment(path)
    document = _plain(parsed(path)[0])
    for key in {*document} - {*BROUGHT} | (set() if with_dns else {"dns"}):
        document.pop(key, None)
    document.get("network", {}).pop("dns", None)
    for name in _only_to_watch(loaded):
        document.get("secrets", {}).get("given", {}).pop(name, None)
    files = dict(gather(_without(loaded, with_dns=with_dns), document, path.parent))
    if mistakes := list(_mistakes_in_document(document, files)):
        raise ConfigurationError(str(path), mistakes)
    _require_hosts_can_be_given(loaded, path)
    return json.dumps({"format": FORMAT, "environment": document, "files": files}, indent=1, ensure_ascii=False) + "\n"


def unpack_invitation(content: bytes, folder: Path, *, takes_directories: bool = False) -> Environment:
    """Writes what an invitation holds into a new folder, for its owner only, and reads it as any command will.

    `takes_directories`: whether hosts may be directories, which then lie in that folder. Raises ConfigurationError
    with every mistake; nothing is left there then.
    """
    invitation = read_invitation(content)
    try:
        folder.mkdir(mode=0o700, parents=True)
        texts = {**invitation.files, ENVIRONMENT: _as_toml(invitation.environment)}
        place_files(folder, {name: Draft(text, 0o600) for name, text in texts.items()})
        environment = _loaded(folder / ENVIRONMENT)
        brought = {str(folder / name) for name in invitation.files}
        _require(_mistakes_in_places(environment, brought, folder if takes_directories else None))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return environment


def read_invitation(content: bytes) -> Invitation:
    """What an invitation holds, as far as that is seen without unpacking it. Raises ConfigurationError."""
    if len(content) > LARGEST:
        _require([Mistake(WHOLE, f"is larger than {LARGEST} bytes: it is none")])
    try:
        text = content.decode("utf-8-sig")
        document = parse_json(text)
        invitation = Invitation.model_validate_json(text, strict=True)
    except UnicodeDecodeError:
        _require([Mistake(WHOLE, "is no UTF-8 text")])
    except Malformed as malformed:
        _require(malformed.mistakes)
    except ValidationError as error:
        _require(mistakes_in(error, document, known_keys=lambda _: list(Invitation.model_fields)))
    _require(_mistakes_in_document(invitation.environment, invitation.files))
    return invitation


def _require(mistakes: Any) -> None:
    if found := sorted(set(mistakes)):
        raise ConfigurationError(SOURCE, found, hint=_HINT)


def _loaded(path: Path) -> Environment:
    try:
        return load_environment(path)
    except ConfigurationError as error:
        raise ConfigurationError(SOURCE, error.mistakes, hint=_HINT) from None


def _as_toml(document: dict[str, Any]) -> str:
    """The same as TOML, and nothing else than that: what was looked at is what is read."""
    try:
        text = tomlkit.dumps(document)
        is_same = parse_toml(text) == document
    except (Malformed, TOMLKitError, TypeError, ValueError, RecursionError):
        is_same = False
    if not is_same:
        raise ConfigurationError(SOURCE, [Mistake("environment", "cannot be written as TOML")], hint=_HINT)
    return text


def _plain(document: Any) -> dict[str, Any]:
    return dict(document.unwrap() if hasattr(document, "unwrap") else document)


def _only_to_watch(environment: Environment) -> set[str]:
    """The given secrets that open nothing but a way to tell the provider."""
    return {name for _, name in environment.watch.secrets} - {PASSWORD}


def _without(environment: Environment, *, with_dns: bool) -> Environment:
    """The environment as far as it comes along."""
    away = _only_to_watch(environment)
    given = {name: reference for name, reference in environment.secrets.given.items() if name not in away}
    kept = {"secrets": environment.secrets.model_copy(update={"given": given})}
    return environment.model_copy(update=kept if with_dns else {**kept, "dns": None})


def _require_hosts_can_be_given(environment: Environment, path: Path) -> None:
    mistakes = [
        Mistake(f"hosts.{name}", "is this machine itself, which nobody else may be given")
        for name, host in environment.hosts.items()
        if host.type == "local"
    ]
    mistakes += [
        Mistake(where, "is missing: whoever moves in has no other key to log in with")
        for where, server in _servers(environment)
        if not server.identity_file
    ]
    if mistakes:
        raise ConfigurationError(str(path), mistakes)


# What somebody who is not trusted wrote


def _mistakes_in_document(document: dict[str, Any], files: dict[str, str]) -> Iterator[Mistake]:
    """What it must not say, and files that would be read from elsewhere as soon as it is loaded."""
    for key in document.keys() - {*BROUGHT}:
        yield Mistake(key, "is each deployer's own, and cannot be brought along")
    hosts, network = document.get("hosts"), document.get("network")
    if isinstance(hosts, dict) and len(hosts) > MOST_HOSTS:
        yield Mistake("hosts", f"are more than {MOST_HOSTS}")
    if isinstance(network, dict) and "dns" in network:
        yield Mistake("network.dns", "is each deployer's own, and cannot be brought along")
    for path in CERTIFICATE_FILES:
        place = value_at(document, path)
        if isinstance(place, str) and "-----BEGIN" not in place and place not in files:
            yield Mistake(dotted(path), _ELSEWHERE)


def _mistakes_in_places(environment: Environment, brought: set[str], folder: Path | None) -> Iterator[Mistake]:
    """Keys, secrets and hosts that are this machine's, or that it would have to look for."""
    for where, reference in _references(environment):
        kind, _, place = reference.partition(":")
        if kind != "file" or place not in brought:
            yield Mistake(where, _ELSEWHERE)
    for where, server in _servers(environment):
        if server.identity_file not in brought:
            yield Mistake(where, _ELSEWHERE)
        if _is_here(server.address):
            yield Mistake(where.replace("identity_file", "address"), "is an address of this machine itself")
    for name, host in environment.hosts.items():
        if not isinstance(host, Ssh) and not _lies_in(host, folder):
            yield Mistake(f"hosts.{name}.type", "should be ssh: other hosts are on this machine itself")


def _references(environment: Environment) -> Iterator[tuple[str, str]]:
    secrets = environment.secrets
    yield "secrets.master_key", secrets.master_key
    yield from ((f"secrets.given.{name}", reference) for name, reference in secrets.given.items())
    yield from (("secrets.sealed", f"file:{file}") for file in secrets.sealed)
    if environment.dns:
        yield "dns.key", environment.dns.key


def _servers(environment: Environment) -> Iterator[tuple[str, SshServer]]:
    """All that SSH goes to, jump hosts too, each with the path of its key in the document."""
    for name, host in environment.hosts.items():
        server, where = host, f"hosts.{name}"
        while isinstance(server, SshServer):
            yield f"{where}.identity_file", server
            server, where = server.jump, f"{where}.jump"  # type: ignore[assignment] # a name ends it


def _is_here(address: str) -> bool:
    """Whether it is this machine, as far as an address says that; who logs in elsewhere has a key of the file's own."""
    import ipaddress

    if not is_ip_address(address):
        return address == "localhost" or address.endswith(".localhost")
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    return bool(mapped.is_loopback or mapped.is_unspecified or mapped.is_link_local)


def _lies_in(host: Connection, folder: Path | None) -> bool:
    if not isinstance(host, DirectoryHost) or folder is None:
        return False
    place = Path(host.path)
    return ".." not in place.parts and place.is_relative_to(folder) and place != folder
