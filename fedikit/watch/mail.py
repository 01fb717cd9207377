"""Telling by mail: plain text, by the provider's relay."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from fedikit.errors import FedikitError
from fedikit.policies.mail import Relay
from fedikit.verify.words import in_words
from fedikit.watch.finding import line
from fedikit.watch.message import Message

_PATIENCE = 20
"""Seconds that each answer of the relay may take."""
_NAME_HERE = "[127.0.0.1]"
"""How we present ourselves: to find this machine's name may take longer than all else."""


@dataclass(frozen=True)
class Mailer:
    """A relay, and what it takes to use it."""

    relay: Relay
    sender: str
    password: str
    trust: ssl.SSLContext

    def send(self, message: Message, recipient: str) -> None:
        """Hands one mail to the relay. Raises FedikitError if that does not take it."""
        place = f"{self.relay.host}:{self.relay.port}"
        try:
            with self._connected() as relay:
                relay.send_message(self._mail(message, recipient))
        except smtplib.SMTPRecipientsRefused as error:
            _, said = next(iter(error.recipients.values()), (0, b""))
            raise self._refused(place, said) from None
        except smtplib.SMTPResponseException as error:
            raise self._refused(place, error.smtp_error) from None
        except UnicodeError:  # it would carry the password along
            raise self._refused(place, "a user or password beyond ASCII, which SMTP does not know") from None
        except (OSError, smtplib.SMTPException) as error:
            raise self._refused(place, in_words(error, place)) from None

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        host, port = self.relay.host or "", self.relay.port
        if self.relay.encryption == "tls":
            relay: smtplib.SMTP = smtplib.SMTP_SSL(host, port, _NAME_HERE, timeout=_PATIENCE, context=self.trust)
        else:
            relay = smtplib.SMTP(host, port, _NAME_HERE, timeout=_PATIENCE)
        with relay:
            if self.relay.encryption == "starttls":
                relay.starttls(context=self.trust)
            if self.relay.user:
                self._sign_in(relay)
            yield relay

    def _sign_in(self, relay: smtplib.SMTP) -> None:
        relay.ehlo_or_helo_if_needed()
        relay.user, relay.password = self.relay.user, self.password
        match self.relay.authentication:
            case "plain":
                relay.auth("PLAIN", relay.auth_plain)
            case "login":
                relay.auth("LOGIN", relay.auth_login)
            case "cram-md5":
                relay.auth("CRAM-MD5", relay.auth_cram_md5)

    def _mail(self, message: Message, recipient: str) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        mail["From"], mail["To"], mail["Subject"] = self.sender, recipient, line(message.subject)
        mail["Date"] = format_datetime(message.time)
        mail["Message-ID"] = f"<{message.id}@{self.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # so that nobody's absence answers
        mail.set_content(message.text, cte="quoted-printable")
        return mail

    def _refused(self, place: str, reason: bytes | str) -> FedikitError:
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        if self.password:
            words = words.replace(self.password, "•••")
        return FedikitError(f"{place} takes no mail from {self.sender}: {line(words)}")
