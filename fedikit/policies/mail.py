"""Mail: through a relay that the provider names."""

from typing import ClassVar, Literal

from pydantic import Field

from fedikit.model.policy import CannotFulfil, Place, Policy, Provision
from fedikit.model.resource import MailRelay
from fedikit.model.secret import SecretRef
from fedikit.model.value import EmailAddress, Line, Port, Written

_HERE = ("localhost", "127.0.0.1", "::1")
PASSWORD = "mail/password"  # noqa: S105 - the label of a secret


def is_here(host: str | None) -> bool:
    """Whether a relay is the very machine that it is asked from."""
    return host in _HERE


class Relay(Written):
    """A server that takes mail, and how it is spoken with."""

    host: str | None = Field(
        None, pattern=r"^[A-Za-z0-9.-]+$", description="The relay's name or address; no mail if absent."
    )
    port: Port = Field(587, description="The port at which it takes mail.")
    encryption: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is protected.")
    user: Line = Field("", description="Who signs in there; nobody if empty. The password is the secret mail/password.")
    authentication: Literal["plain", "login", "cram-md5"] = Field(
        "plain", description="How the user signs in there, as SASL names it."
    )
    sender: EmailAddress | None = Field(
        None, description="From whom all mail comes; noreply@ each application's own domain if absent."
    )


class MailPolicy(Relay, Policy[MailRelay]):
    """Sends mail through a relay; where none is named, applications send none."""

    fulfils: ClassVar = MailRelay

    def provide(self, request: MailRelay, place: Place) -> Provision:
        if request.needed_for and not self.host:
            needed = f"is missing, but {place.application} needs mail for {request.needed_for}"
            raise CannotFulfil("policies.mail.host", needed)
        if self.host:
            self._refuse_what_it_cannot(request, place)
        sender = self.sender or f"{request.sender_name}@{request.domain}"
        return Provision(
            items=(),
            facts={
                "host": self.host or "",
                "port": str(self.port),
                "user": self.user,
                "password": SecretRef(name=PASSWORD, given=True) if self.host and self.user else "",
                "sender": sender,
                "encryption": self.encryption,
                "authentication": self.authentication if self.user else "none",
                "enabled": "yes" if self.host else "no",
            },
        )

    def _refuse_what_it_cannot(self, request: MailRelay, place: Place) -> None:
        """Upstream would try all the same, and every mail would be lost."""
        if self.encryption not in request.encryptions:
            ways = " or ".join(request.encryptions)
            raise CannotFulfil("policies.mail.encryption", f"should be {ways}: {place.application} knows nothing else")
        if self.user and self.authentication not in request.authentications:
            ways = " or ".join(request.authentications)
            raise CannotFulfil(
                "policies.mail.authentication", f"should be {ways}: {place.application} knows nothing else"
            )
        if self.user and self.encryption == "none" and request.keeps_password and not is_here(self.host):
            hidden = (
                f"should be starttls: {place.application} sends no password over a connection that is not encrypted"
            )
            raise CannotFulfil("policies.mail.encryption", hidden)
