"""The newest public post, as visitors find it: what an application answers is believed only if it is one."""

import json
from collections.abc import Mapping

import pytest

from fedikit.environment import load_catalogue
from fedikit.model.posts import NewestPost
from fedikit.verify.page import Page
from fedikit.verify.words import Unmet
from fedikit_lab.prove_post import Seen, look_at_newest_post
from tests.model.example import configuration

DOMAIN, LIST = "social.example.org", "https://social.example.org/newest"
POST = f"https://{DOMAIN}/@ada/1"
RSS = f"""<?xml version="1.0"?><rss version="2.0"><channel><link>https://{DOMAIN}/ada</link>
<item><title>Hi</title><link>{POST}</link></item><item><link>https://{DOMAIN}/@ada/0</link></item></channel></rss>"""
ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom"><link rel="self" href="{LIST}"/>
<entry><link rel="alternate" href="{POST}"/></entry></feed>"""
BOMB = f'<!DOCTYPE rss [<!ENTITY a "{POST}">]><rss><channel><item><link>&a;</link></item></channel></rss>'


class Web:
    """Pages by their addresses; the others are not there."""

    def __init__(self, pages: Mapping[str, tuple[int, str]]) -> None:
        self.pages = pages

    def get(self, url: str) -> Page:
        status, body = self.pages.get(url, (404, ""))
        return Page(url, status, body.encode())

    follow = get


class Silence:
    """Nobody answers."""

    def get(self, url: str) -> Page:
        raise Unmet(wanted=f"an answer from {url}", seen="connection refused")

    follow = get


def seen(body: str, form: str = "json", *, status: int = 200, within: str = "", post: int = 200) -> Seen:
    where = NewestPost.model_validate({"domain": DOMAIN, "url": LIST, "form": form, "within": within})
    return look_at_newest_post(where, Web({LIST: (status, body), POST: (post, "Hi")}))


@pytest.mark.parametrize(
    ("form", "within", "body"),
    [
        ("json", "", json.dumps([{"url": POST}, {"url": f"https://{DOMAIN}/@ada/0"}])),
        ("json", "data", json.dumps({"total": 1, "data": [{"url": POST}]})),
        ("feed", "", RSS),
        ("feed", "", ATOM),
    ],
)
def test_the_first_that_is_listed_is_opened(form: str, within: str, body: str) -> None:
    assert seen(body, form, within=within) == Seen(POST)


def test_a_page_shows_posts_by_itself() -> None:
    assert seen("all of them", "page") == Seen(LIST)


@pytest.mark.parametrize(
    ("form", "body"), [("json", "[]"), ("feed", "<rss><channel/></rss>"), ("feed", '<f:feed xmlns:f="x"/>')]
)
def test_that_there_is_none_is_said_and_not_wrong(form: str, body: str) -> None:
    assert seen(body, form) == Seen(none="there is no post that visitors may see")


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_what_visitors_are_not_shown_is_said_and_not_wrong(status: int) -> None:
    assert seen("", status=status) == Seen(none="visitors are shown no list of posts")


def test_a_list_that_fails_is_wrong() -> None:
    assert seen("", status=500).wrong == f"the newest post: wanted a page at {LIST}, saw status 500"


def test_a_post_that_is_listed_and_gone_is_wrong() -> None:
    found = seen(json.dumps([{"url": POST}]), post=404)
    assert found.wrong == f"the newest post: wanted a page at {POST}, saw status 404"
    where = NewestPost(domain=DOMAIN, url=LIST)
    assert "connection refused" in look_at_newest_post(where, Silence()).wrong


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("json", "{"),
        ("json", "{}"),
        ("json", "3"),
        ("json", '["https://social.example.org/@ada/1"]'),
        ("json", "[" * 100_000),
        ("feed", "no feed"),
        ("feed", "<html/>"),
        ("feed", BOMB),
    ],
)
def test_what_is_no_list_is_wrong(form: str, body: str) -> None:
    assert seen(body, form).wrong == f"the newest post: wanted a list of posts at {LIST}, saw something else"


@pytest.mark.parametrize(
    "address",
    [
        None,
        7,
        "",
        "file:///etc/shadow",
        "https://elsewhere.example.org/@ada/1",
        f"https://{DOMAIN}.evil.example/1",
        f"https://{DOMAIN}@evil.example/1",
        f"https://{DOMAIN}:8443/1",
        f"http://{DOMAIN}/1",
        f"https://{DOMAIN}/\x1b[31m",
        f"https://{DOMAIN}/a b",
        f"https://{DOMAIN}/{'a' * 1000}",
        f"{POST}\n",
        ["a"],
    ],
)
def test_only_an_address_of_the_application_itself_is_opened(address: object) -> None:
    found = seen(json.dumps([{"url": address}]))
    assert found == Seen(wrong=f"the newest post: wanted the address of a post at {DOMAIN}, saw another")


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("mastodon", "/api/v1/timelines/public?local=true&limit=1"),
        ("peertube", "/api/v1/videos?sort=-publishedAt&isLocal=true&count=1"),
        ("pixelfed", "/users/test.atom"),
        ("gotosocial", "/@test"),
        ("snac", "/test.rss"),
        ("hello", ""),
    ],
)
def test_each_recipe_says_where_its_newest_post_is(name: str, page: str) -> None:
    chosen = configuration(name)
    where = load_catalogue()[name].newest_post(chosen.settings(name), chosen.context)
    assert (where.url.removeprefix(f"https://{where.domain}") if where else "") == page
