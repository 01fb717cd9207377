"""The door: what an application's web sites answer while it is closed, a page of ours and status 503.

Caddy answers so for as long as a site's page is there, from one request to the next: nothing has to be reloaded. While
the site may be read, the page has another name, and is the answer to what does not only read, or cannot be answered.
"""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from .places import Places, remove_whole, write_whole
from .settings import APPLY
from .trouble import Trouble

READING = "reading"
"""Why an application is closed that can be read all the same."""
WORDS = {
    READING: "{site} is being moved to another server. It can be read until then, and be written to soon after.",
    "moving": "{site} is being moved to another server. It will be back soon, with everything that was here.",
    "moved": "{site} has moved to another server. Your way there may lead here for a while: try again in some minutes.",
}
"""What a page says, by why the application is closed."""
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{site}</title>
<body style="max-width: 36em; margin: 4em auto; padding: 0 1em; font: 1.1em/1.5 sans-serif">
<h1>{site}</h1>
<p>{words}</p>
"""


class Door:
    """The doors of some web sites, by their domains."""

    def __init__(self, places: Places, domains: Iterable[str]) -> None:
        self._folder = places.pages
        self._domains = list(domains)

    def shut(self, why: str) -> None:
        """From now on the sites answer that they are closed, and why; `READING`: to all that would write."""
        if self._domains and not self._folder.is_dir():
            words = f"{self._folder} is not there, and Caddy looks there whether a web site is closed"
            raise Trouble(words, hint="run an apply of the deployment, which makes it")
        for domain in self._domains:
            site = escape(domain)
            page, other = self._pages(domain) if why != READING else reversed(self._pages(domain))
            write_whole(page, _PAGE.format(site=site, words=WORDS[why].format(site=site)), mode=0o644)
            remove_whole(other)

    def open(self) -> None:
        """The sites answer as they did before."""
        for page in (page for domain in self._domains for page in self._pages(domain)):
            if page.parent.is_dir():
                remove_whole(page)

    def require_shut(self) -> None:
        """Tries it: raises Trouble if one of the sites takes what somebody posts, or it cannot be told."""
        from .knocking import is_refused  # TLS, which nothing else needs

        for domain in self._domains:
            if not is_refused(domain):
                raise Trouble(f"{domain} takes what is posted although it must not now", hint=APPLY)

    def _pages(self, domain: str) -> tuple[Path, Path]:
        """The page of a site that is closed, and that of one that may be read."""
        return self._folder / f"{domain}.html", self._folder / f"{domain}.reading.html"
