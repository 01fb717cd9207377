"""What Pixelfed's stand-in tells other servers and programs about itself and its users."""

from collections.abc import Callable

from .pixelfed_queue import Queue
from .pixelfed_settings import Settings
from .pixelfed_store import Store
from .shared import Answer, Request, json_answer
from .version import VERSION

_NODEINFO_SECONDS = 900


class About:
    """The addresses that machines ask."""

    def __init__(self, settings: Settings, store: Store, queue: Queue) -> None:
        self._settings = settings
        self._store = store
        self._queue = queue

    def routes(self) -> dict[tuple[str, str], Callable[[Request], Answer]]:
        """The addresses that are answered."""
        return {
            ("GET", "/.well-known/nodeinfo"): self._nodeinfo_link,
            ("GET", "/api/nodeinfo/2.0.json"): self._nodeinfo,
            ("GET", "/.well-known/webfinger"): self._webfinger,
            ("GET", "/api/v1/instance"): self._instance,
            ("GET", "/api/v2/instance"): self._instance,
        }

    def _nodeinfo_link(self, request: Request) -> Answer:
        href = f"{self._settings.url}/api/nodeinfo/2.0.json"
        return json_answer({"links": [{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": href}]})

    def _nodeinfo(self, request: Request) -> Answer:
        kept = self._queue.remembered("api:nodeinfo")
        if kept is None:
            kept = {
                "version": "2.0",
                "software": {"name": "pixelfed", "version": VERSION},
                "protocols": ["activitypub"],
                "services": {"inbound": [], "outbound": []},
                "openRegistrations": self._settings.accepts_registrations,
                "usage": {"users": {"total": self._count("users")}, "localPosts": self._count("statuses")},
                "metadata": {"nodeName": self._settings.name},
            }
            self._queue.remember("api:nodeinfo", kept, _NODEINFO_SECONDS)
        return json_answer(kept)

    def _webfinger(self, request: Request) -> Answer:
        resource = request.query.get("resource", "")
        name, _, domain = resource.removeprefix("acct:").partition("@")
        known = self._store.ask("select username from profiles where username = %s", name)
        if domain != self._settings.domain or not known:
            return json_answer({}, 404)
        href = f"{self._settings.url}/users/{name}"
        links = [{"rel": "self", "type": "application/activity+json", "href": href}]
        return json_answer({"subject": resource, "links": links}, kind="application/jrd+json")

    def _instance(self, request: Request) -> Answer:
        told = {
            "uri": self._settings.domain,
            "title": self._settings.name,
            "registrations": self._settings.accepts_registrations,
        }
        version = f"3.5.3 (compatible; Pixelfed {VERSION})"
        stats = {"user_count": self._count("users"), "status_count": self._count("statuses")}
        return json_answer({**told, "domain": self._settings.domain, "version": version, "stats": stats})

    def _count(self, table: str) -> int:
        return int(self._store.ask(f"select count(*) as number from {table}")[0]["number"])  # noqa: S608 - ours
