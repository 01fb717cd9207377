"""Mail of Pixelfed's stand-in: written to the log, or handed to a relay as Laravel does it."""

import smtplib
import ssl
from email.message import EmailMessage

from .pixelfed_settings import Mail

_SECONDS = 20


def send(mail: Mail, to: str, subject: str, text: str) -> None:
    """One message. A relay that does not take it is an error; without a user nobody signs in."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = mail.sender, to, subject
    message.set_content(text)
    if mail.mailer == "log":
        print(f"To: {to}\nSubject: {subject}\n\n{text}", flush=True)
        return
    with _connected(mail) as relay:
        relay.ehlo()
        if not mail.is_tls and mail.may_start_tls and relay.has_extn("starttls"):
            relay.starttls(context=ssl.create_default_context())
        if mail.user:
            relay.login(mail.user, mail.password)
        relay.send_message(message)


def _connected(mail: Mail) -> smtplib.SMTP:
    if mail.is_tls:
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(mail.host, mail.port, timeout=_SECONDS)
