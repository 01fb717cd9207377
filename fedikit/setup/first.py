"""Beginning: the two files, the master key, a key pair and a `.gitignore`, all of them or none."""

import tempfile
from pathlib import Path
from typing import NamedTuple

from fedikit.environment.load import load_configuration, load_environment
from fedikit.secrets.master import new_key
from fedikit.setup.answers import KEY_PAIR, MASTER_KEY, Answers, configuration_text, environment_text
from fedikit.setup.draft import Draft, place_files, refuse_what_is_there, take_back

CONFIGURATION, ENVIRONMENT, GITIGNORE = "configuration.json", "environment.toml", ".gitignore"
KEPT_OUT = (MASTER_KEY, KEY_PAIR, "*.key", "*.password", "runs/", ".*.work", "plan.json")
"""What is nobody else's: keys, what secrets are read from, records, marks."""


class Begun(NamedTuple):
    """What was made, and what is to be known of it."""

    made: tuple[str, ...]
    public_key: str
    """The line for the host's `authorized_keys`; empty if no pair was made."""
    to_ignore: tuple[str, ...]
    """What a `.gitignore` that was there does not name, and should."""


def begin(folder: Path, answers: Answers) -> Begun:
    """Writes everything that the answers come to.

    Raises ConfigurationError for answers that do not go together, FedikitError for files that are there already.
    """
    check_place(folder)
    configuration = configuration_text(answers)
    _read(configuration, environment=None)
    files = {GITIGNORE: Draft("".join(f"{line}\n" for line in KEPT_OUT), 0o644)}
    to_ignore: tuple[str, ...] = ()
    if (folder / GITIGNORE).exists():
        del files[GITIGNORE]
        to_ignore = _not_ignored(folder / GITIGNORE)
    files[MASTER_KEY] = Draft(f"{new_key()}\n", 0o600)
    private, public = _key_pair(answers) if answers.makes_key_pair else ("", "")
    if public:
        files |= {KEY_PAIR: Draft(private, 0o600), f"{KEY_PAIR}.pub": Draft(f"{public}\n", 0o644)}
    files[ENVIRONMENT] = Draft(environment_text(answers), 0o644)
    files[CONFIGURATION] = Draft(configuration, 0o644)
    if answers.host:
        _read(configuration, environment=files[ENVIRONMENT].text)
    place_files(folder, files)
    return Begun(tuple(files), public, to_ignore)


def check_place(folder: Path) -> None:
    """Raises FedikitError if something is there that would be in the way: before anybody is asked anything."""
    if folder.is_dir():
        take_back(folder)
        refuse_what_is_there(folder, [CONFIGURATION, ENVIRONMENT, MASTER_KEY, KEY_PAIR, f"{KEY_PAIR}.pub"])


def _not_ignored(gitignore: Path) -> tuple[str, ...]:
    known = gitignore.read_text(encoding="utf-8", errors="replace").split()
    return tuple(line for line in KEPT_OUT if line not in known)


def _read(configuration: str, *, environment: str | None) -> None:
    """Reads what would be written as any command will; raises ConfigurationError if it would not do."""
    with tempfile.TemporaryDirectory() as trial:
        operators, providers = Path(trial) / CONFIGURATION, Path(trial) / ENVIRONMENT
        operators.write_text(configuration, encoding="utf-8")
        chosen = load_configuration(operators)
        if environment is not None:
            providers.write_text(environment, encoding="utf-8")
            load_environment(providers).deployment(chosen)


def _key_pair(answers: Answers) -> tuple[str, str]:
    """A new Ed25519 key as OpenSSH writes it, the private and the public half."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # slow to import, seldom needed
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return private, f"{public} fedikit@{answers.domain}"
