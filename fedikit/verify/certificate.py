"""Certificates: who they are for, who vouches for them and until when, and why one is refused."""

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from fedikit.verify.words import Unmet

# What OpenSSL calls X509_V_ERR_…; the standard library has no names for them.
_NOT_YET_VALID = 9
_EXPIRED = 10
_UNTRUSTED = range(18, 22)
_WRONG_NAME = (62, 64)


@dataclass(frozen=True)
class Trust:
    """Whose certificates are trusted: the authorities that this machine knows, and those in a PEM file or text."""

    further: Path | str | None = None

    @cached_property
    def context(self) -> ssl.SSLContext:
        """Checks certificates as a browser does."""
        context = ssl.create_default_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Python 3.13 demands what browsers do not
        if isinstance(self.further, Path):
            context.load_verify_locations(cafile=self.further)
        elif self.further:
            context.load_verify_locations(cadata=self.further)
        return context


@dataclass(frozen=True)
class Certificate:
    """A certificate as a server shows it."""

    names: tuple[str, ...]
    issuer: str
    begins: datetime
    expires: datetime

    @property
    def days_left(self) -> float:
        return (self.expires - datetime.now(UTC)).total_seconds() / 86400

    def __str__(self) -> str:
        return f"for {', '.join(self.names)} by {self.issuer}, {self.days_left:.0f} days left"


def show_certificate(place: tuple[str, int], *, domain: str, trust: Trust, patience: float) -> Certificate:
    """The certificate for a domain that a server, at an address and port, proves to have.

    Raises Unmet when the certificate is refused, OSError when there is no TLS connection.
    """
    try:
        return _shake_hands(place, domain, trust.context, patience)
    except ssl.SSLCertVerificationError as error:
        shown = _shake_hands(place, domain, _credulous(), patience)
        raise Unmet(wanted=f"a valid certificate for {domain}", seen=_refusal(error, shown, domain)) from error


def _shake_hands(place: tuple[str, int], domain: str, context: ssl.SSLContext, patience: float) -> Certificate:
    with (
        socket.create_connection(place, timeout=patience) as connection,
        context.wrap_socket(connection, server_hostname=domain) as encrypted,
    ):
        return _read(encrypted.getpeercert(binary_form=True) or b"")


def _credulous() -> ssl.SSLContext:
    """Takes any certificate, only to say what is wrong with it; nothing is ever sent this way."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _read(der: bytes) -> Certificate:
    from cryptography import x509  # slow to import, and few commands need it

    certificate = x509.load_der_x509_certificate(der)
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(str(name.value) for name in alternatives)
    except x509.ExtensionNotFound:
        names = ("no name",)
    issuer = certificate.issuer.rfc4514_string() or "nobody"
    return Certificate(names, issuer, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _refusal(error: ssl.SSLCertVerificationError, shown: Certificate, domain: str) -> str:
    match error.verify_code:
        case code if code in _WRONG_NAME:
            return f"the certificate is for {', '.join(shown.names)}, not {domain}"
        case code if code == _EXPIRED:
            return f"the certificate expired on {shown.expires:%Y-%m-%d}"
        case code if code == _NOT_YET_VALID:
            return f"the certificate is valid only from {shown.begins:%Y-%m-%d} on"
        case code if code in _UNTRUSTED:
            return f"the certificate's issuer {shown.issuer} is not trusted"
        case _:
            return f"the certificate is refused: {error.verify_message}"
