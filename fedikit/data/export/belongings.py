"""What an application was given besides its data: its variables, its secrets, and the files that it reads.

What fedikit or the provider keeps there for it is none of it: backups and what opens them, Garage and its keys.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from fedikit.data.export.wanted import Wanted
from fedikit.model.data import SETTINGS
from fedikit.model.item import File, Item, secrets_in
from fedikit.model.secret import SecretRef
from fedikit.secrets import Vault

ENVIRONMENT = "environment.env"
FILES, SECRETS = "configuration", "secrets"
FEDIKITS_OWN = (f"{SETTINGS}/", "/usr/local/lib/fedikit-data/", "/etc/systemd/system/fedikit-")


def belongings(wanted: Wanted, vault: Vault) -> Iterator[tuple[str, str]]:
    """Files for the export's folder: each one's path there, and its text."""
    variables, others = _variables(wanted), _others(wanted)
    yield ENVIRONMENT, "".join(vault.text(file.content) for file in variables)
    for file in others:
        yield f"{FILES}{PurePosixPath(file.path)}", vault.text(file.content)
    for name, secret in secret_files(wanted):
        yield f"{SECRETS}/{name}", vault.value(secret)


def secret_files(wanted: Wanted) -> Iterator[tuple[str, SecretRef]]:
    """Each secret by its file: its name, and where it is a pair's half, which."""
    secrets = list(dict.fromkeys(_secrets(wanted)))
    names = [secret.name for secret in secrets]
    for secret in secrets:
        yield (f"{secret.name}.{secret.format}" if names.count(secret.name) > 1 else secret.name), secret


def _secrets(wanted: Wanted) -> Iterator[SecretRef]:
    """Those of its own name, and what its variables and its parts take."""
    own = (secret for secret in secrets_in(_items(wanted)) if secret.name.startswith(f"{wanted.application}/"))
    yield from (*own, *secrets_in(_variables(wanted)))
    for part in wanted.parts:
        told = (getattr(part, field, None) for field in ("password", "key_id", "key_secret"))
        yield from (secret for secret in told if isinstance(secret, SecretRef))


def _items(wanted: Wanted) -> list[Item]:
    """What is there for this application alone, and not for fedikit's sake."""
    return [
        item
        for item in wanted.state.items
        if wanted.state.belongings.get(item.id) == (wanted.application,)
        if not (isinstance(item, File) and item.path.startswith(FEDIKITS_OWN))
    ]


def _variables(wanted: Wanted) -> list[File]:
    return [item for item in _items(wanted) if isinstance(item, File) and item.path.endswith(".env")]


def _others(wanted: Wanted) -> list[File]:
    """The further files, but those with a secret that is none of the application's, such as Garage's."""
    known = set(_secrets(wanted))
    files = (item for item in _items(wanted) if isinstance(item, File) and not item.path.endswith(".env"))
    return [file for file in files if known.issuperset(secrets_in([file]))]
