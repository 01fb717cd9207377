"""What Pixelfed's stand-in tells other servers and programs about itself and its users."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from .pixelfed_config import Config
from .pixelfed_queue import Queue
from .pixelfed_settings import Settings
from .pixelfed_store import Store
from .shared import Answer, Request, json_answer, plain
from .version import VERSION

_NODEINFO_SECONDS = 900
_INSTANCE_SECONDS = 1800
_RULES_SECONDS = 604800
_FEED_SECONDS = 14400
_USERNAME = re.compile(r"(?=.{2,30}$)[A-Za-z0-9]+([._-][A-Za-z0-9]+)?")


def is_username(name: str) -> bool:
    """Whether a profile of that name can be found by others: one of `-_.` inside, at most."""
    return _USERNAME.fullmatch(name) is not None


class About:
    """The addresses that machines ask. Answers are kept for a while, also over a restart."""

    def __init__(self, settings: Settings, store: Store, queue: Queue) -> None:
        self._settings = settings
        self._store = store
        self._queue = queue
        self._config = Config(settings, store)

    def routes(self) -> dict[tuple[str, str], Callable[..., Answer]]:
        """The addresses that are answered."""
        return {
            ("GET", "/.well-known/nodeinfo"): self._nodeinfo_link,
            ("GET", "/api/nodeinfo/2.0.json"): self._nodeinfo,
            ("GET", "/.well-known/webfinger"): self._webfinger,
            ("GET", "/users/{feed}"): self._feed,
            ("GET", "/api/v1/instance"): self._instance,
            ("GET", "/api/v2/instance"): self._instance,
        }

    def _nodeinfo_link(self, request: Request) -> Answer:
        href = f"{self._settings.url}/api/nodeinfo/2.0.json"
        return json_answer({"links": [{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": href}]})

    def _nodeinfo(self, request: Request) -> Answer:
        def tell() -> object:
            return {
                "version": "2.0",
                "software": {"name": "pixelfed", "version": VERSION},
                "protocols": ["activitypub"],
                "services": {"inbound": [], "outbound": []},
                "openRegistrations": self._config.is_on("pixelfed.open_registration"),
                "usage": {"users": {"total": self._count("users")}, "localPosts": self._count("statuses")},
                "metadata": {"nodeName": self._config["app.name"]},
            }

        return json_answer(self._remembered("api:nodeinfo", _NODEINFO_SECONDS, tell))

    def _webfinger(self, request: Request) -> Answer:
        resource = request.query.get("resource", "")
        name, _, domain = resource.removeprefix("acct:").partition("@")
        known = self._store.ask("select username from profiles where username = %s", name)
        if domain != self._settings.domain or not known or not is_username(name):
            return plain("", 400)
        href = f"{self._settings.url}/users/{name}"
        links = [{"rel": "self", "type": "application/activity+json", "href": href}]
        return json_answer({"subject": resource, "links": links}, kind="application/jrd+json")

    def _instance(self, request: Request) -> Answer:
        return json_answer(
            self._remembered("api:v1:instance-data-response-v1", _INSTANCE_SECONDS, self._tell_of_instance)
        )

    def _tell_of_instance(self) -> object:
        config, domain = self._config, self._settings.domain
        rules = self._remembered("api:v1:instance-data:rules", _RULES_SECONDS, self._rules)
        return {
            "uri": domain,
            "domain": domain,
            "title": config["app.name"],
            "short_description": config["app.short_description"],
            "description": config["app.description"],
            "registrations": config.is_on("pixelfed.open_registration"),
            "rules": rules,
            "version": f"3.5.3 (compatible; Pixelfed {VERSION})",
            "stats": {"user_count": self._count("users"), "status_count": self._count("statuses")},
        }

    def _rules(self) -> object:
        rules = json.loads(self._config["app.rules"] or "[]")
        return [{"id": str(number), "text": rule} for number, rule in enumerate(rules, 1)]

    def _feed(self, request: Request, feed: str) -> Answer:
        """What somebody posted, as Atom."""
        name, _, form = feed.rpartition(".")
        if form != "atom" or not self._store.ask("select id from profiles where username = %s", name):
            return plain("Not Found", 404)

        def tell() -> object:
            return [f"{self._settings.url}/p/{name}/{post['id']}" for post in self._store.posts("username = %s", name)]

        links = self._remembered(f"pf:atom:user-feed:by-id:{name}", _FEED_SECONDS, tell)
        return Answer(200, _atom(f"{self._settings.url}{request.path}", links).encode(), "application/atom+xml")

    def _remembered(self, name: str, seconds: int, tell: Callable[[], object]) -> Any:
        kept = self._queue.remembered(name)
        if kept is None:
            kept = tell()
            self._queue.remember(name, kept, seconds)
        return kept

    def _count(self, table: str) -> int:
        return int(self._store.ask(f"select count(*) as number from {table}")[0]["number"])  # noqa: S608 - ours


def _atom(address: str, links: Sequence[str]) -> str:
    entries = "".join(f'<entry><id>{link}</id><link rel="alternate" href="{link}"/></entry>' for link in links)
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><link rel="self" href="{address}"/>{entries}</feed>'
