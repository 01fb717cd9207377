"""Mail of the contract image of Mastodon, handed over as Ruby's net-smtp does: who has a user name signs in."""

import smtplib
import ssl
from email.message import EmailMessage

from .mastodon_servers import MailServer
from .shared import Refused

_SECONDS = 20


def deliver(server: MailServer, to: str, subject: str, text: str) -> None:
    """Hands a mail to the server; what that refuses is told in its words."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = server.sender, to, subject
    mail.set_content(text)
    try:
        with _connect(server) as connection:
            _protect(connection, server)
            _sign_in(connection, server)
            connection.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        raise Refused(f"{type(error).__name__}: {error}") from error


def _connect(server: MailServer) -> smtplib.SMTP:
    if server.encryption == "tls":
        return smtplib.SMTP_SSL(server.address, server.port, timeout=_SECONDS, context=_trust(server))
    return smtplib.SMTP(server.address, server.port, timeout=_SECONDS)


def _protect(connection: smtplib.SMTP, server: MailServer) -> None:
    connection.ehlo()
    if server.encryption == "always" or (server.encryption == "auto" and connection.has_extn("starttls")):
        connection.starttls(context=_trust(server))
        connection.ehlo()


def _sign_in(connection: smtplib.SMTP, server: MailServer) -> None:
    """An empty user name is a name, and without a method there is the usual one: that is net-smtp's way."""
    if server.user is None and server.password is None:
        return
    if server.user is None or server.password is None:
        raise Refused("ArgumentError: SMTP-AUTH requested but missing user name or secret phrase")
    connection.user, connection.password = server.user, server.password
    method = (server.authentication or "plain").replace("_", "-")
    code, words = connection.auth(method.upper(), getattr(connection, f"auth_{method.replace('-', '_')}"))
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, words)


def _trust(server: MailServer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.authorities)
