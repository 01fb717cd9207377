"""A certificate authority for one lab: what the lab's ACME server shows to its clients is signed by it."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fedikit_lab.keys import write_private

_DAYS = 3650


@dataclass(frozen=True)
class Certificate:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


def kept_authority(directory: Path) -> Certificate:
    """The lab's own authority; made at the first use and kept in `acme-ca.pem` and `acme-ca.key`."""
    certificate, key = directory / "acme-ca.pem", directory / "acme-ca.key"
    if not (certificate.exists() and key.exists()):
        made = _make_authority()
        write_private(key, made.key)
        certificate.write_text(made.certificate)
    return Certificate(certificate.read_text(), key.read_text())


def issue(authority: Certificate, names: tuple[str, ...], address: str) -> Certificate:
    """A server certificate for those names and that address."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    signer = serialization.load_pem_private_key(authority.key.encode(), password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    alternatives = [*map(x509.DNSName, names), x509.IPAddress(ipaddress.ip_address(address))]
    builder = (
        _builder(names[0], issuer.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_identifier_of(issuer), critical=False)
    )
    return Certificate(_pem(builder.sign(signer, hashes.SHA256())), _pem_of_key(key))


def _make_authority() -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder("fedikit lab", _name("fedikit lab"), key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(usage, critical=True)
    )
    return Certificate(_pem(builder.sign(key, hashes.SHA256())), _pem_of_key(key))


def _builder(subject: str, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
    )


def _identifier_of(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
