"""Where backups go: restic's own words for a repository, as far as hosts can use them by themselves."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

Kind = Literal["sftp", "s3", "rest", "local"]
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_HOST = r"([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])"
_PATH = rf"({_NAME}/)*{_NAME}"
_FORMS: dict[Kind, str] = {
    "local": rf"(/{_NAME})+",
    "sftp": rf"sftp:({_NAME}@)?{_HOST}:/?{_PATH}|sftp://({_NAME}@)?{_HOST}(:[0-9]{{1,5}})?//?{_PATH}",
    "s3": rf"s3:https?://{_HOST}(:[0-9]{{1,5}})?/{_PATH}",
    "rest": rf"rest:https?://{_HOST}(:[0-9]{{1,5}})?(/{_PATH})?",
}
_WAYS = "sftp:USER@HOST:/PATH, s3:https://HOST/BUCKET, rest:https://HOST/PATH or a path such as /mnt/backup"


def _repository(text: str) -> str:
    if re.match(r"(s3|rest):https?://[^/]*@", text):
        raise ValueError("should hold no user and no password: those have places of their own")
    address = text.rstrip("/")
    if not any(re.fullmatch(form, address) for form in _FORMS.values()) or re.search(r"(^|/)\.\.?(/|$)", address):
        raise ValueError(f"should be one of {_WAYS}")
    return address


RepositoryUrl = Annotated[
    str,
    AfterValidator(_repository),
    Field(
        max_length=1000,
        description=f"Where backups go, in restic's words: {_WAYS}. Each application gets its own below it.",
        examples=["sftp:backup@192.0.2.9:/srv/backups"],
    ),
]


def kind_of(repository: str) -> Kind:
    """How a repository is reached."""
    return next(kind for kind, form in _FORMS.items() if re.fullmatch(form, repository))


def is_encrypted(repository: str) -> bool:
    """Whether a password may be sent there."""
    return not repository.startswith(("s3:http:", "rest:http:"))


def known_hosts(repository: str, key: str) -> str:
    """The line of a known_hosts file for a repository that is reached over SSH, with the host's public key."""
    if not repository.startswith("sftp://"):
        host = repository.removeprefix("sftp:").rpartition("@")[2].rpartition(":")[0]
        return f"{host.strip('[]')} {key}\n"
    place = urlsplit(repository)
    host, port = place.hostname or "", place.port or 22
    return f"{host if port == 22 else f'[{host}]:{port}'} {key}\n"
