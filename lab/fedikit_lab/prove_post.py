"""The newest public post of an application that was restored: found as visitors find it, and opened.

Rule: what the application answers, people wrote; it is believed only where it has the form of an address there.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol
from xml.etree import ElementTree

from fedikit.model.posts import NewestPost
from fedikit.verify.page import Page
from fedikit.verify.words import Unmet

LONGEST = 1000
KEPT_TO_ITSELF = (401, 403, 404, 410, 422)
"""What is answered where visitors are not shown it."""
_PATH = r"/[A-Za-z0-9._~@!$&'()*+,;=:%/?-]*"
_DECLARES = re.compile(rb"<!(DOCTYPE|ENTITY)")


class Visitor(Protocol):
    """Who looks, such as `fedikit.verify.visitor.Visitor`."""

    def get(self, url: str) -> Page: ...
    def follow(self, url: str) -> Page: ...


class Seen(NamedTuple):
    """The address of the newest post, or why there is none; and what is wrong with it."""

    address: str = ""
    none: str = ""
    wrong: str = ""


def look_at_newest_post(where: NewestPost, visitor: Visitor) -> Seen:
    """Finds the newest post and opens it. That there is none, or none for visitors, is not wrong."""
    address = ""
    try:
        page = visitor.get(where.url)
        if page.status in KEPT_TO_ITSELF:
            return Seen(none="visitors are shown no list of posts")
        _require_success(page)
        address = where.url if where.form == "page" else _address_in(page, where)
        if not address:
            return Seen(none="there is no post that visitors may see")
        _require_success(visitor.follow(address))
    except Unmet as unmet:
        return Seen(address, wrong=f"the newest post: {unmet}")
    return Seen(address)


def _require_success(page: Page) -> None:
    if page.status != 200:
        raise Unmet(wanted=f"a page at {page.url}", seen=f"status {page.status}")


def _address_in(page: Page, where: NewestPost) -> str:
    """The first address in a list; empty if nothing is listed. Raises Unmet."""
    try:
        listed = list(_in_feed(page.body) if where.form == "feed" else _in_json(page.body, where.within))
    except (ValueError, KeyError, TypeError, RecursionError, ElementTree.ParseError):
        raise Unmet(wanted=f"a list of posts at {where.url}", seen="something else") from None
    if not listed:
        return ""
    first = listed[0] if isinstance(listed[0], str) else ""
    if len(first) > LONGEST or not re.fullmatch(rf"https://{re.escape(where.domain)}{_PATH}", first):
        raise Unmet(wanted=f"the address of a post at {where.domain}", seen="another")
    return first


def _in_json(body: bytes, within: str) -> Iterator[object]:
    told = json.loads(body)
    posts = told[within] if within else told
    if not isinstance(posts, list):
        raise TypeError("is no list")
    return (post["url"] for post in posts)


def _in_feed(body: bytes) -> Iterator[object]:
    """Of RSS the text of each item's link, of Atom where each entry's leads."""
    if _DECLARES.search(body):
        raise ValueError("declares what a feed needs not")
    root = ElementTree.fromstring(body)  # noqa: S314 - it declares no entities, and is short
    if root.tag != "rss" and not root.tag.endswith("}feed"):
        raise ValueError("is no feed")
    for post in (*root.iterfind("channel/item"), *root.iterfind("{*}entry")):
        link = post.find("{*}link")
        yield (link.get("href") or link.text) if link is not None else None
