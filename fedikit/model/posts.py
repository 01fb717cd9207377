"""Posts: where visitors find the newest public post of an application, as a value."""

from typing import Literal

from fedikit.model.value import DomainName, HttpsUrl, Line, Value


class NewestPost(Value):
    """A page that lists posts, the newest first, or shows them by itself.

    json  a list of objects, each of which tells its address as `url`
    feed  RSS or Atom
    page  for people, where no list is for everybody
    """

    domain: DomainName
    """Of the posts."""
    url: HttpsUrl
    form: Literal["json", "feed", "page"] = "json"
    within: Line = ""
    """json: the key under which the list is; the answer is the list itself if empty."""
