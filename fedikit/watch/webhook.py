"""Telling programs: a message is posted as JSON, signed if there is a secret."""

import hashlib
import hmac
import json
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from fedikit import __version__
from fedikit.errors import FedikitError
from fedikit.verify.words import in_words
from fedikit.watch.message import Message

SIGNATURE = "X-Fedikit-Signature"
"""`sha256=` and the HMAC-SHA256 (hex) of the body under the secret."""
_PATIENCE = 10.0
_ATTEMPTS = 2
"""In one look; the next look tries again."""


@dataclass(frozen=True)
class Hook:
    """Where messages are posted; of the address, only the host is ever told, for the rest may be a secret."""

    url: str
    secret: str
    trust: ssl.SSLContext

    def post(self, message: Message) -> None:
        """Posts it. Raises FedikitError unless the answer is a success; redirects are none."""
        body = json.dumps(message.payload, ensure_ascii=False).encode()
        for attempt in range(1, _ATTEMPTS + 1):
            refusal = self._refusal(body)
            if not refusal:
                return
            if attempt == _ATTEMPTS or refusal.startswith(("HTTP 3", "HTTP 4")):
                raise FedikitError(f"the webhook at {self._host} took no message: {refusal}")

    def _refusal(self, body: bytes) -> str:
        """Why it was not taken; nothing if it was. Of the answer only the status is read."""
        headers = {"Content-Type": "application/json", "User-Agent": f"fedikit/{__version__}"}
        if self.secret:
            headers[SIGNATURE] = f"sha256={hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()}"
        try:
            with (
                httpx.Client(verify=self.trust, timeout=_PATIENCE, trust_env=False, follow_redirects=False) as client,
                client.stream("POST", self.url, content=body, headers=headers) as answer,
            ):
                return "" if answer.is_success else f"HTTP {answer.status_code}"
        except httpx.HTTPError as error:
            return in_words(error, self._host)

    @property
    def _host(self) -> str:
        return urlsplit(self.url).netloc
