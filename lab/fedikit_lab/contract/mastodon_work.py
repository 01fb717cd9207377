"""What sidekiq does in the contract image of Mastodon: each class of job, by upstream's name."""

from collections.abc import Callable, Sequence
from typing import Any

from .mastodon_database import Database, is_overtaken
from .mastodon_posts import WORK, Posts
from .mastodon_settings import Settings
from .mastodon_smtp import deliver
from .shared import Refused


class Work:
    """All classes of jobs, over one set of servers."""

    def __init__(self, settings: Settings, client: Any) -> None:
        self._settings, self._database = settings, Database(settings.servers.database)
        posts = Posts(settings, client)
        self._classes: dict[str, Callable[..., None]] = {
            WORK: lambda number: posts.process(int(number)),
            "ActivityPub::UpdateDistributionWorker": self._distribute,
            "ActionMailer::MailDeliveryJob": self._mail,
        }

    def do(self, kind: str, arguments: Sequence[object]) -> None:
        """Does one job, or raises what is in its way."""
        if kind not in self._classes:
            raise Refused(f"uninitialized constant {kind}")
        self._classes[kind](*arguments)

    def _distribute(self, account: object) -> None:
        """Tells other servers of a new profile: there are none, but what is told is signed first."""
        if is_overtaken(self._database):
            raise Refused("OpenSSL::PKey::PKeyError: Neither PUB key nor PRIV key: nested asn1 error")

    def _mail(self, to: str, subject: str, text: str) -> None:
        if self._settings.mail:
            deliver(self._settings.mail, to, subject, text)
