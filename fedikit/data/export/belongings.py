"""What an application was given besides its data: its variables, its secrets, and the files that it reads."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from fedikit.data.export.wanted import Wanted
from fedikit.model.item import File, SecretRef, secrets_in
from fedikit.secrets import Vault

ENVIRONMENT = "environment.env"
FILES, SECRETS = "configuration", "secrets"


def belongings(wanted: Wanted, vault: Vault) -> Iterator[tuple[str, str]]:
    """Files for the export's folder: each one's path there, and its text."""
    own = list(_own_files(wanted))
    yield ENVIRONMENT, "".join(vault.text(file.content) for file in own if file.path.endswith(".env"))
    for file in own:
        if not file.path.endswith(".env"):
            yield f"{FILES}{PurePosixPath(file.path)}", vault.text(file.content)
    for name, secret in secret_files(wanted):
        yield f"{SECRETS}/{name}", vault.value(secret)


def secret_files(wanted: Wanted) -> Iterator[tuple[str, SecretRef]]:
    """Each secret by its file: its name, and where it is a pair's half, which."""
    items = [item for item in wanted.state.items if wanted.application in wanted.state.belongings.get(item.id, ())]
    secrets = dict.fromkeys([*secrets_in(items), *_of_parts(wanted)])
    names = [secret.name for secret in secrets]
    for secret in secrets:
        yield (f"{secret.name}.{secret.format}" if names.count(secret.name) > 1 else secret.name), secret


def _of_parts(wanted: Wanted) -> Iterator[SecretRef]:
    for part in wanted.parts:
        told = (getattr(part, field, None) for field in ("password", "key_id", "key_secret"))
        yield from (secret for secret in told if isinstance(secret, SecretRef))


def _own_files(wanted: Wanted) -> Iterator[File]:
    """The files that are there for this application alone."""
    for item in wanted.state.items:
        if isinstance(item, File) and wanted.state.belongings.get(item.id) == (wanted.application,):
            yield item
