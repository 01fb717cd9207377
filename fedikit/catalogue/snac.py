"""snac: a small ActivityPub server, from Debian's package `snac2` (2.75 in Debian 13)."""

import json
from typing import Annotated, Any

from pydantic import Field

from fedikit.model import Limits, Line, PageShows, Recipe, SignsIn, Subdomain, Upstream, WebApplication, WebSettings
from fedikit.model.item import Directory, File

BASE, OWNER, PORT = "/var/lib/snac2", "debian-snac", 8001
USUAL: dict[str, Any] = {
    "prefix": "",
    "address": "127.0.0.1",
    "port": PORT,
    "layout": 2.7,  # of the files below BASE, as snac 2.75 writes them
    "dbglevel": 0,
    "queue_retry_minutes": 2,
    "queue_retry_max": 10,
    "queue_timeout": 6,
    "queue_timeout_2": 8,
    "cssurls": [""],
    "def_timeline_entries": 50,
    "max_timeline_entries": 50,
    "min_account_age": 0,
    "short_description_raw": False,
    "protocol": "https",
    "fastcgi": False,
}
"""What the package writes into server.json, but for the names that this server has, and for a prefix."""


class SnacSettings(WebSettings):
    """The small social network server."""

    subdomain: Subdomain = "snac"
    """What stands before the domain in its web address. Cannot change once there are users."""
    title: Annotated[Line, Field(max_length=100), Upstream("title", writes=False)] = ""
    """The server's title, as other software shows it."""
    description: Annotated[Line, Field(max_length=500), Upstream("short_description", writes=False)] = ""
    """A sentence about the server, as other software shows it."""
    remote_post_days: Annotated[int, Field(ge=0), Upstream("timeline_purge_days", writes=False)] = 120
    """How long posts of others are kept; for ever if 0."""
    local_post_days: Annotated[int, Field(ge=0), Upstream("local_purge_days", writes=False)] = 0
    """How long its users' own posts are kept; for ever if 0."""


class Snac(WebApplication[SnacSettings]):
    """A small social network server that speaks with Mastodon and its kin, and needs no database."""

    name = "snac"
    # Its own addresses; and the one who follows relays is an application to it, whose posts it drops after a day
    limits = Limits(
        rights="a user", address="none", reserved=("authorize_interaction", "nodeinfo_2_0", "oauth", "relay", "share")
    )

    def recipe(self, r: Recipe, s: SnacSettings) -> None:
        person, server = r.person, f"{json.dumps(_server(r, s), indent=4, ensure_ascii=False)}\n"
        r.service(
            "snac2.service",
            "snac2",
            directories=(Directory(path=BASE, mode="2770", owner=OWNER, group=OWNER, data=True),),
            files=(File(path=f"{BASE}/server.json", content=server, mode="0660", owner=OWNER, group=OWNER),),
        )
        account = (BASE, person.username, person.display_name)
        r.task(None, "initial user", "snac_account.py", *account, stdin=r.password, user=OWNER)
        r.site({"/*": PORT})
        home = f"https://{r.domain}/{person.username}"
        r.answers("/", contains=r.domain)
        r.nodeinfo()
        r.webfinger()
        r.check(PageShows(application=self.name, url=home, text=person.display_name))
        r.newest_post(f"/{person.username}.rss", form="feed")
        r.check(SignsIn(application=self.name, url=f"{home}/admin", username=person.username, secret=r.password))


def _server(r: Recipe, s: SnacSettings) -> dict[str, Any]:
    return {
        **USUAL,
        "host": r.domain,
        "timeline_purge_days": s.remote_post_days,
        "local_purge_days": s.local_post_days,
        "admin_email": r.person.email,
        "admin_account": r.person.username,
        "title": s.title,
        "short_description": s.description,
    }
