"""What the contract image of Mastodon tells other servers and programs about itself and its accounts."""

from collections.abc import Callable

from .mastodon_accounts import registrations_mode, setting
from .mastodon_database import Database, Row
from .mastodon_settings import Settings
from .shared import Answer, Request, json_answer, redirect
from .version import VERSION

TITLE = "Mastodon"
_SCHEMA = "http://nodeinfo.diaspora.software/ns/schema/2.0"


def routes(settings: Settings, database: Database) -> dict[tuple[str, str], Callable[..., Answer]]:
    """Instance, nodeinfo, webfinger and actors."""
    about = Instance(settings, database)
    return {
        ("GET", "/api/v1/instance"): about.first,
        ("GET", "/api/v2/instance"): about.second,
        ("GET", "/.well-known/nodeinfo"): about.links,
        ("GET", "/nodeinfo/2.0"): about.nodeinfo,
        ("GET", "/.well-known/webfinger"): about.webfinger,
        ("GET", "/users/{name}"): about.person,
        ("GET", "/ap/users/{number}"): about.actor,
    }


def is_single(settings: Settings, database: Database) -> bool:
    """Whether the server is one person's."""
    return settings.federation.single_user and bool(database.value("SELECT 1 FROM accounts WHERE id > 0 LIMIT 1"))


def rules_of(database: Database) -> list[Row]:
    """The rules that hold, in their order."""
    return database.rows("SELECT id, text FROM rules WHERE deleted_at IS NULL ORDER BY priority, id")


def find_account(database: Database, name: str) -> Row | None:
    """A local account by its name, in any case."""
    return database.row("SELECT * FROM accounts WHERE lower(username) = lower(%s) AND domain IS NULL AND id > 0", name)


class Instance:
    """One instance, described."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._base = f"https://{settings.web_domain}"

    def first(self, request: Request) -> Answer:
        mode = self._registrations()
        return json_answer(
            {
                "uri": self._settings.domain,
                **self._words(),
                "short_description": self._words()["description"],
                "version": VERSION,
                "urls": {"streaming_api": f"wss://{self._settings.web_domain}"},
                "stats": self._counts(),
                "registrations": mode != "none",
                "approval_required": mode == "approved",
            }
        )

    def second(self, request: Request) -> Answer:
        mode = self._registrations()
        return json_answer(
            {
                "domain": self._settings.domain,
                **self._words(),
                "version": VERSION,
                "source_url": "https://github.com/mastodon/mastodon",
                "languages": [self._settings.locale],
                "contact": self._contact(),
                "rules": [{"id": str(rule["id"]), "text": rule["text"]} for rule in rules_of(self._database)],
                "configuration": {
                    "urls": {"streaming": f"wss://{self._settings.web_domain}"},
                    "limited_federation": self._settings.federation.limited,
                },
                "registrations": {"enabled": mode != "none", "approval_required": mode == "approved", "message": None},
                "usage": {"users": {"active_month": self._counts()["user_count"]}},
            }
        )

    def links(self, request: Request) -> Answer:
        return json_answer({"links": [{"rel": _SCHEMA, "href": f"{self._base}/nodeinfo/2.0"}]})

    def nodeinfo(self, request: Request) -> Answer:
        counts, words = self._counts(), self._words()
        return json_answer(
            {
                "version": "2.0",
                "software": {"name": "mastodon", "version": VERSION},
                "protocols": ["activitypub"],
                "services": {"outbound": [], "inbound": []},
                "usage": {"users": {"total": counts["user_count"]}, "localPosts": counts["status_count"]},
                "openRegistrations": self._registrations() != "none",
                "metadata": {"nodeName": words["title"], "nodeDescription": words["description"]},
            }
        )

    def webfinger(self, request: Request) -> Answer:
        """Who an address is: acct:name@domain."""
        resource = request.query.get("resource", "").removeprefix("acct:").removeprefix("@")
        if not resource:
            return Answer(400)
        name, _, domain = resource.partition("@")
        account = find_account(self._database, name)
        if not account or domain not in {self._settings.domain, self._settings.web_domain}:
            return Answer(404)
        page, actor = f"{self._base}/@{account['username']}", f"{self._base}/ap/users/{account['id']}"
        links = [
            {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": page},
            {"rel": "self", "type": "application/activity+json", "href": actor},
        ]
        subject = f"acct:{account['username']}@{self._settings.domain}"
        answer = {"subject": subject, "aliases": [page, actor], "links": links}
        return json_answer(answer, kind="application/jrd+json; charset=utf-8")

    def person(self, request: Request, name: str) -> Answer:
        """Who looks for a page is sent to it."""
        if "json" not in request.header("Accept"):
            return redirect(f"/@{name}", 301)
        account = find_account(self._database, name)
        return self.actor(request, str(account["id"]) if account else "")

    def actor(self, request: Request, number: str) -> Answer:
        """The account as other servers see it; those that have to sign are refused, for nobody signs here."""
        account = number.isdecimal() and self._database.row("SELECT * FROM accounts WHERE id = %s", int(number))
        if not account:
            return json_answer({"error": "Not found"}, 404)
        if self._wants_signatures():
            return json_answer({"error": "Request not signed"}, 401)
        address = f"{self._base}/ap/users/{account['id']}"
        answer = {
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": address,
            "type": "Person",
            "preferredUsername": account["username"],
            "name": account["display_name"],
            "inbox": f"{address}/inbox",
            "outbox": f"{address}/outbox",
            "url": f"{self._base}/@{account['username']}",
        }
        return json_answer(answer, kind="application/activity+json; charset=utf-8")

    def _wants_signatures(self) -> bool:
        """What the variable says, or what an administrator has set if there is none."""
        said = self._settings.federation.authorized_fetch
        kept = setting(self._database, "authorized_fetch", "False") == "True"
        return self._settings.federation.limited or (kept if said is None else said)

    def _registrations(self) -> str:
        return "none" if self._settings.federation.single_user else registrations_mode(self._database)

    def _contact(self) -> dict[str, object]:
        name = setting(self._database, "site_contact_username", "")
        account = find_account(self._database, name) if name else None
        shown = {"acct": account["username"], "display_name": account["display_name"]} if account else None
        return {"email": setting(self._database, "site_contact_email", ""), "account": shown}

    def _words(self) -> dict[str, str]:
        return {
            "title": setting(self._database, "site_title", TITLE),
            "description": setting(self._database, "site_short_description", ""),
        }

    def _counts(self) -> dict[str, int]:
        users = self._database.value("SELECT count(*) FROM users WHERE confirmed_at IS NOT NULL")
        return {"user_count": users, "status_count": self._database.value("SELECT count(*) FROM statuses")}
