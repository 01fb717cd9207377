"""Values: what everything in the model is made of, and the names that occur in it."""

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema

from fedikit.model.docstrings import docstrings_of


class Value(BaseModel):
    """A frozen value that knows all its fields; mistakes never repeat what was put in, it may be a secret.

    Its validator is built when it is first needed: most commands need few of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Shows what is not as usual."""
        usual = {name: field.get_default(call_default_factory=True) for name, field in type(self).model_fields.items()}
        yield from (
            (name, value) for name, value in super().__repr_args__() if name not in usual or value != usual[name]
        )


def _field_title(name: str, field: Any) -> str:
    return name.replace("_", " ").capitalize()


def _model_title(model: type) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", model.__name__).capitalize()


class Written(Value):
    """A value that people write. The docstrings of its fields are their descriptions in JSON Schemas.

    They are looked up when a schema is made: to read its source takes longer than to make the class.
    """

    model_config = ConfigDict(field_title_generator=_field_title, model_title_generator=_model_title)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """What is said under a field is more than what its type is in general."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, words in docstrings_of(cls).items():
            if name in cls.model_fields and (key := cls.model_fields[name].alias or name) in properties:
                properties[key]["description"] = words
        return schema


def is_codename(text: str) -> bool:
    """Whether a Debian release may be called that."""
    return re.fullmatch("[a-z]+", text) is not None


def is_line(text: str) -> bool:
    """Whether it is one line, without control characters."""
    return re.fullmatch(f"[^{_UNSEEN}]*", text) is not None


def canonical_json(value: Any) -> str:
    """One spelling for equal values: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: Any) -> str:
    """SHA-256 (hex) of a JSON value's one spelling."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


# C0 and C1, separators of lines, characters of no width, and those that turn the direction of writing
_UNSEEN = r"\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
HostName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", description="A short name of small letters, digits and dashes."
    ),
]
Subdomain = HostName
"""What stands before the domain in a web address."""
DomainName = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="A fully qualified domain name in lower case, without a final dot.",
    ),
]
PackageName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]+$", description="The name of a Debian package.")]
PackageVersion = Annotated[
    str,
    Field(pattern=r"^([0-9]+:)?[0-9][A-Za-z0-9.+~-]*$", description="The version of a Debian package."),
]
Codename = Annotated[str, Field(pattern=r"^[a-z]+$", description="The name of a Debian release, such as trixie.")]
Architecture = Literal["amd64", "arm64", "armel", "armhf", "i386", "loong64", "mips64el", "ppc64el", "riscv64", "s390x"]
"""What Debian calls the kinds of machines that it is made for."""
UnixName = Annotated[
    str,
    Field(
        pattern=r"^[a-z_][a-z0-9_-]{0,30}$", description="A user or group of a host: small letters, digits, - and _."
    ),
]
Owner = Annotated[
    str,
    Field(
        pattern=r"^([a-z_][a-z0-9_-]{0,30}|[0-9]{1,10})$",
        description="A user or group of a host, or the number of one that only a container knows.",
    ),
]
LONGEST_FILE_NAME = 240  # bytes; the rest of 255 is for what is added to it while the file is written
LONGEST_PATH = 4000  # bytes


def _file_names(path: str) -> str:
    if any(len(name.encode()) > LONGEST_FILE_NAME for name in path.split("/")) or len(path.encode()) > LONGEST_PATH:
        raise ValueError(f"is too long, no part should have more than {LONGEST_FILE_NAME} bytes")
    return path


AbsolutePath = Annotated[
    str,
    Field(
        pattern=rf"^(/([^/.{_UNSEEN}]|\.[^/.{_UNSEEN}]|\.\.[^/{_UNSEEN}])[^/{_UNSEEN}]*)+$",
        description="An absolute path without '.', '..' or doubled slashes.",
    ),
    AfterValidator(_file_names),
]
Mode = Annotated[str, Field(pattern=r"^[0-7]{4}$", description="Permission bits as four octal digits.")]
Port = Annotated[int, Field(ge=1, le=65535)]
Protocol = Literal["tcp", "udp"]
AccountName = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_]{0,29}$",
        description="A user's name in the fediverse: small letters, digits and _, a letter first.",
    ),
]
Line = Annotated[str, Field(pattern=rf"^[^{_UNSEEN}]*$", description="One line of text, without control characters.")]
Argument = Annotated[str, Field(pattern=r"^[^\x00]*$", description="A word of a command line.")]
ArchiveUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~%+-]+)*/?$",
        description="Where a Debian archive is: http:// or https://, with its path.",
    ),
]
EmailAddress = Annotated[
    str,
    Field(
        max_length=254,
        pattern=r"^[A-Za-z0-9._%+-]+@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$",
        description="An e-mail address.",
    ),
]
HttpUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$", description="A server's address: http:// or https://, and no path."
    ),
]
HttpsUrl = Annotated[
    str, Field(pattern=r"^https://[A-Za-z0-9._~:/?#@!&=%+,;-]+$", description="An address that starts with https://.")
]
ImageReference = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$",
        description="A container image's whole name: registry, repository and tag.",
    ),
]
ImageRepository = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$",
        description="A container image's name without its tag: registry and repository.",
    ),
]
Digest = Annotated[
    str, Field(pattern=r"^sha256:[0-9a-f]{64}$", description="The digest of a container image's manifest.")
]
DatabaseName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="A database or its user: small letters, digits and _.")
]
BucketName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="A bucket: 3 to 63 small letters, digits, dashes and dots.",
    ),
]
PublicKey = Annotated[
    str,
    Field(
        pattern=rf"^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^{_UNSEEN}]*)?$",
        description="An OpenSSH public key, as in a .pub file.",
    ),
]
SecretName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]+([./-][a-z0-9]+)*$",
        description="The name of a secret: an application's, a slash, and what it is for.",
    ),
]
UserText = Annotated[str, Field(pattern=rf"^[^:,{_UNSEEN}]*$", description="What is said of a user, without : and ,")]
SignInName = Annotated[str, Field(pattern=rf"^[^:{_UNSEEN}]+$", description="A name to sign in with, without :")]
HeaderName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9-]+$", description="The name of a header: letters, digits and -.")
]
ObjectKey = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._~-][A-Za-z0-9._~/-]*$",
        description="An object's key, or how it begins: letters, digits and . _ ~ - /, with no / first.",
    ),
]
HeaderText = Annotated[
    str, Field(pattern=rf'^[^"\\`{{}}{_UNSEEN}]+$', description="What a header says, without quotes and braces.")
]
UrlPath = Annotated[
    str, Field(pattern=rf"^/[^\s\"'\\{_UNSEEN}]*$", description="The path of a web address, with its query.")
]
UnitFile = Annotated[
    str,
    Field(
        max_length=LONGEST_FILE_NAME,
        pattern=r"^[A-Za-z0-9:_.@-]+\.(service|socket|timer|path|target|mount)$",
        description="The name of a systemd unit.",
    ),
]
SecretReference = Annotated[
    str,
    Field(
        pattern=rf"^(file|command|env):[^{_UNSEEN}]+$",
        description="Where a secret is found, as file:PATH, command:COMMAND or env:NAME; never the secret itself.",
    ),
]


def pattern_of(kind: Any) -> str:
    """The pattern of one of these kinds of text."""
    pattern: str = TypeAdapter(kind).json_schema()["pattern"]
    return pattern


def _ip_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("should be an IP address") from None


def _ip_network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("should be a network of IP addresses, such as 192.0.2.0/24") from None


def _certificates(text: str) -> str:
    if "PRIVATE KEY" in text:
        raise ValueError("holds a private key, should hold certificates only")
    if not re.search(r"-----BEGIN CERTIFICATE-----\n.+?-----END CERTIFICATE-----", text, re.DOTALL):
        raise ValueError("should hold certificates in PEM form")
    return text


IpAddress = Annotated[str, AfterValidator(_ip_address), Field(description="An IPv4 or IPv6 address.")]
IpNetwork = Annotated[str, AfterValidator(_ip_network), Field(description="A network of IP addresses: ADDRESS/BITS.")]
Certificates = Annotated[str, AfterValidator(_certificates), Field(description="X.509 certificates in PEM form.")]
