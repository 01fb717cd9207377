"""A mail relay on the loopback interface: SMTP as RFC 5321 has it, over TLS too, with users who sign in."""

import base64
import hmac
import socketserver
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

USER, PASSWORD = "fedikit", "a relay's secret"


@dataclass
class Taken:
    """A mail as the relay took it."""

    recipients: list[str]
    content: bytes
    was_encrypted: bool
    user: str

    @property
    def mail(self) -> EmailMessage:
        mail = message_from_bytes(self.content, policy=SMTP)
        assert isinstance(mail, EmailMessage)
        return mail


class Relay(socketserver.ThreadingTCPServer):
    """Takes mail; `refused` are recipients that it does not know, `is_full` has it take nothing for now."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context: ssl.SSLContext, *, encryption: str, wants_password: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.context, self.encryption, self.wants_password = context, encryption, wants_password
        self.taken: list[Taken] = []
        self.refused: set[str] = set()
        self.is_full = False
        self.says_password = False

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Who does not trust us hangs up."""


@dataclass
class Letter:
    recipients: list[str] = field(default_factory=list)
    user: str = ""


class Session(socketserver.StreamRequestHandler):
    """One client."""

    server: Relay

    def handle(self) -> None:
        self.letter, self.is_encrypted = Letter(), False
        if self.server.encryption == "tls":
            self.encrypt()
        self.say("220 relay.test")
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            if verb.upper() == "QUIT":
                return self.say("221 bye")
            getattr(self, f"do_{verb.lower()}", self.unknown)(rest)
        return None

    def finish(self) -> None:
        """What encrypts is not what the server knows of, and closes."""
        with suppress(OSError):
            super().finish()
        self.request.close()

    def encrypt(self) -> None:
        self.rfile.close()
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.setup()
        self.is_encrypted = True

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def ask(self, challenge: str) -> str:
        self.say(f"334 {base64.b64encode(challenge.encode()).decode()}")
        return base64.b64decode(self.rfile.readline()).decode()

    def unknown(self, rest: str) -> None:
        self.say("502 unknown")

    def do_ehlo(self, rest: str) -> None:
        offers = ["AUTH PLAIN LOGIN CRAM-MD5"] if self.server.wants_password else []
        offers += ["STARTTLS"] if self.server.encryption == "starttls" and not self.is_encrypted else []
        self.say("250-relay.test", *(f"250-{offer}" for offer in offers), "250 8BITMIME")

    def do_starttls(self, rest: str) -> None:
        self.say("220 go on")
        self.encrypt()

    def do_auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if mechanism == "CRAM-MD5":
            challenge = "<1.2@relay.test>"
            user, _, digest = self.ask(challenge).partition(" ")
            right = digest == hmac.new(PASSWORD.encode(), challenge.encode(), "md5").hexdigest()
        elif mechanism == "LOGIN":
            user = base64.b64decode(initial).decode() if initial else self.ask("Username:")
            right = self.ask("Password:") == PASSWORD
        else:
            _, user, password = base64.b64decode(initial).decode().split("\0")
            right = password == PASSWORD
        if right and user == USER:
            self.letter.user = f"{user} by {mechanism}"
            return self.say("235 welcome")
        return self.say(f"535 wrong password{f' {PASSWORD}' if self.server.says_password else ''}")

    def do_mail(self, rest: str) -> None:
        if self.server.is_full:
            return self.say("452 no room\x1b[31m for now")
        if self.server.wants_password and not self.letter.user:
            return self.say("530 sign in first")
        return self.say("250 ok")

    def do_rcpt(self, rest: str) -> None:
        recipient = rest.partition("<")[2].partition(">")[0]
        if recipient in self.server.refused:
            return self.say("550 nobody is called so")
        self.letter.recipients.append(recipient)
        return self.say("250 ok")

    def do_rset(self, rest: str) -> None:
        self.letter.recipients = []
        self.say("250 ok")

    def do_data(self, rest: str) -> None:
        self.say("354 go on")
        content = b""
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            content += line.removeprefix(b".")
        self.server.taken.append(Taken(self.letter.recipients, content, self.is_encrypted, self.letter.user))
        self.say("250 taken")
