"""A DNS server that takes signed updates (RFC 2136, TSIG): what it has of a name, and a change of all or nothing."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fedikit.errors import DnsRefused, SecretError
from fedikit.model.dns import DnsServer
from fedikit.secrets.reading import read_secret

if TYPE_CHECKING:
    import dns.message
    import dns.name
    import dns.rdataset

SECONDS = 10
KINDS = ("A", "AAAA", "CNAME")


class Found(NamedTuple):
    """The records of one type that a name has, and how long they may be remembered; nothing and 0 if there are none."""

    values: tuple[str, ...] = ()
    ttl: int = 0


class Edit(NamedTuple):
    """What the records of one type shall be, and what they must be until then."""

    name: str
    type: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Server:
    """The server of an environment, spoken with over TCP, each message signed."""

    def __init__(self, described: DnsServer) -> None:
        self._described = described
        self._secret = _key_of(described)

    def find(self, name: str, kind: str) -> Found:
        """What the server has of this type at a name; raises DnsRefused."""
        import dns.message
        import dns.rcode

        query = dns.message.make_query(f"{name}.", kind)
        answer = self._exchange(query)
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise self._refused(f"does not tell {kind} of {name}: {dns.rcode.to_text(answer.rcode())}")
        for rrset in answer.answer:
            if rrset.name.to_text(omit_final_dot=True).lower() == name and rrset.rdtype == query.question[0].rdtype:
                return Found(tuple(sorted(map(_text, rrset))), rrset.ttl)
        return Found()

    def change(self, zone: str, *, required: Sequence[Edit], written: Sequence[Edit], ttl: int) -> None:
        """Writes all in one update, or nothing if one of those required is no longer as it was; raises DnsRefused."""
        import dns.rcode
        import dns.update

        update = dns.update.UpdateMessage(f"{zone}.")
        for edit in required:
            _require(update, edit)
        for edit in sorted(written, key=lambda edit: bool(edit.after)):  # where there is a CNAME, nothing can be added
            _write(update, edit, ttl)
        answer = self._exchange(update)
        if answer.rcode() in (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.YXDOMAIN, dns.rcode.NXDOMAIN):
            hint = "nothing was changed; run it again to see what is there now"
            raise self._refused(f"somebody changed the zone {zone} meanwhile", hint=hint)
        if answer.rcode() != dns.rcode.NOERROR:
            hint = f"may the key {self._described.key_name} update that zone there?"
            raise self._refused(f"does not change the zone {zone}: {dns.rcode.to_text(answer.rcode())}", hint=hint)

    def _exchange(self, message: "dns.message.Message") -> "dns.message.Message":
        import dns.query
        import dns.tsig

        server = self._described
        with self._translated():
            message.use_tsig(dns.tsig.Key(f"{server.key_name}.", self._secret, server.algorithm))
            return dns.query.tcp(message, server.server, timeout=SECONDS, port=server.port)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns what the DNS library raises into our errors."""
        import dns.exception
        import dns.tsig

        try:
            yield
        except dns.tsig.PeerBadTime as error:
            raise self._refused("finds our clock wrong", hint="set this machine's clock, or the server's") from error
        except (dns.tsig.PeerError, dns.tsig.BadSignature) as error:
            hint = "see dns.key_name, dns.algorithm and dns.key in the environment"
            raise self._refused(f"does not know our key: {type(error).__name__}", hint=hint) from error
        except (dns.exception.DNSException, OSError, EOFError) as error:
            hint = "see dns.server and dns.port in the environment"
            raise self._refused(f"gives no answer: {error or type(error).__name__}", hint=hint) from error

    def _refused(self, words: str, *, hint: str = "") -> DnsRefused:
        return DnsRefused(f"the DNS server {self._described.server}, port {self._described.port}, {words}", hint=hint)


def _key_of(described: DnsServer) -> bytes:
    text = read_secret("dns.key", described.key, base=Path())
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        hint = "the words behind `secret` in what tsig-keygen prints"
        raise SecretError(f"the secret dns.key ({described.key}) is not in base64", hint=hint) from None


def _text(rdata: object) -> str:
    """A record's value in words: an address, a name without its final dot, the characters of a text."""
    strings = getattr(rdata, "strings", None)
    if strings is not None:
        return b"".join(strings).decode(errors="replace")
    return str(rdata).rstrip(".")


def _require(update: "dns.update.UpdateMessage", edit: Edit) -> None:
    """The update is refused unless these records are as they were."""
    if edit.before:
        update.present(f"{edit.name}.", _rdataset(edit, edit.before, 0))
    else:
        update.absent(f"{edit.name}.", edit.type)


def _write(update: "dns.update.UpdateMessage", edit: Edit, ttl: int) -> None:
    if edit.after:
        update.replace(f"{edit.name}.", _rdataset(edit, edit.after, ttl))
    else:
        update.delete(f"{edit.name}.", edit.type)


def _rdataset(edit: Edit, values: tuple[str, ...], ttl: int) -> "dns.rdataset.Rdataset":
    import dns.rdataset

    return dns.rdataset.from_text_list("IN", edit.type, ttl, [_written(edit.type, value) for value in values])


def _written(kind: str, value: str) -> str:
    """A value as it stands in a zone file."""
    if kind == "TXT":
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return f"{value}." if kind == "CNAME" else value
