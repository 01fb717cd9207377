"""What the provider says of watching: whom to tell when something is not well, how, and from when on."""

import re
from collections.abc import Collection
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from fedikit.errors import Mistake
from fedikit.model.value import EmailAddress, Line, SecretName, Written
from fedikit.policies.mail import PASSWORD, MailPolicy, Relay, is_here


def _several(addresses: Any) -> Any:
    """One address is as good as a list of one."""
    if not isinstance(addresses, str | list | tuple):
        raise ValueError("should be an e-mail address, or a list of them")
    return (addresses,) if isinstance(addresses, str) else tuple(addresses)


def is_loopback(host: str) -> bool:
    """Whether what is sent to this name or address never leaves the machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _webhook_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("should be a web address") from None
    if not host or not re.fullmatch("[!-~]+", url):
        raise ValueError("should be a web address")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError("should start with https://, unless it leads to this very machine")
    if "@" in parts.netloc:
        raise ValueError("should hold no user and no password: name a secret")
    return url


WebhookUrl = Annotated[str, AfterValidator(_webhook_url)]


class WatchMail(Relay):
    """Telling by mail."""

    to: Annotated[
        tuple[EmailAddress, ...],
        BeforeValidator(_several, json_schema_input_type=EmailAddress | list[EmailAddress]),
        Field(min_length=1, max_length=20),
    ]
    """Who is told: an e-mail address, or a list of them."""
    host: str | None = Field(
        None, pattern=r"^[A-Za-z0-9.:-]+$", description="The relay's name or address; that of policies.mail if absent."
    )
    user: Line = Field("", description="Who signs in at this relay; nobody if empty.")
    sender: EmailAddress | None = Field(
        None, description="From whom the mail comes; from policies.mail.sender if absent."
    )
    password: SecretName = Field(PASSWORD, description="The given secret that the user signs in with.")


class WatchWebhook(Written):
    """Telling programs, by HTTP."""

    url: WebhookUrl
    """Where messages are posted as JSON: https://, or http:// to this machine."""
    secret: SecretName | None = Field(
        None, description="The given secret that messages are signed with; none if absent."
    )


class Watch(Written):
    """Who is told when something changes, how, and from when on."""

    mail: WatchMail | None = Field(None, title="Mail")
    """Telling by mail."""
    webhook: WatchWebhook | None = Field(None, title="Webhook")
    """Telling programs, by HTTP."""
    looks: Annotated[int, Field(ge=1, le=100)] = 2
    """How many looks in a row must see a change before it is told."""
    reminder_hours: Annotated[int, Field(ge=1, le=8760)] = 24
    """After how many hours it is told again what is still broken."""
    certificate_days: Annotated[int, Field(ge=1, le=365)] = 14
    """How many days before its end a certificate is told of; a quarter of its life, if that is less."""
    disk_percent: Annotated[int, Field(ge=1, le=99)] | None = None
    """From how many percent on a disk is called full; as `fedikit status --health` has it if absent."""

    def relay(self, policy: MailPolicy) -> Relay:
        """By which relay mail goes: an own one, or else the policy's."""
        assert self.mail
        return self.mail if self.mail.host else policy

    def sender(self, policy: MailPolicy) -> str | None:
        """From whom mail comes."""
        assert self.mail
        return self.mail.sender or policy.sender

    @property
    def secrets(self) -> tuple[tuple[str, str], ...]:
        """The given secrets that telling may take, with the paths where they are named."""
        mail = (("mail.password", self.mail.password),) if self.mail else ()
        webhook = (("webhook.secret", self.webhook.secret),) if self.webhook and self.webhook.secret else ()
        return mail + webhook

    def mistakes(self, policy: MailPolicy, given: Collection[str]) -> list[Mistake]:
        """What stands against it, with what the environment says of mail and of secrets."""
        found = self._mistakes_of_mail(policy) if self.mail else []
        signs_in = self.mail is not None and bool(self.relay(policy).user)
        found += [
            Mistake(f"watch.{path}", f'names "{name}", which is not among secrets.given')
            for path, name in self.secrets
            if name not in given and (path != "mail.password" or signs_in)
        ]
        return found

    def _mistakes_of_mail(self, policy: MailPolicy) -> list[Mistake]:
        relay, found = self.relay(policy), []
        if not relay.host:
            found.append(Mistake("watch.mail.host", "is missing, and policies.mail names no relay either"))
        if not self.sender(policy):
            found.append(Mistake("watch.mail.sender", "is missing, and policies.mail names no sender either"))
        if relay.user and relay.encryption == "none" and not is_here(relay.host):
            found.append(Mistake("watch.mail.encryption", "should be starttls: a password is only sent encrypted"))
        return found
