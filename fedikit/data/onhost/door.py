"""The door: what an application's web sites answer while it is closed, a page of ours and status 503.

Caddy answers so for as long as a site's page is there, from one request to the next: nothing has to be reloaded.
"""

from collections.abc import Iterable
from html import escape

from .places import Places, remove_whole, write_whole
from .trouble import Trouble

WORDS = {
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
        self._pages = {domain: self._folder / f"{domain}.html" for domain in domains}

    def shut(self, why: str) -> None:
        """From now on the sites answer that they are closed, and why."""
        if self._pages and not self._folder.is_dir():
            words = f"{self._folder} is not there, and Caddy looks there whether a web site is closed"
            raise Trouble(words, hint="run an apply of the deployment, which makes it")
        for domain, page in self._pages.items():
            site = escape(domain)
            write_whole(page, _PAGE.format(site=site, words=WORDS[why].format(site=site)), mode=0o644)

    def open(self) -> None:
        """The sites answer as they did before."""
        for page in self._pages.values():
            if page.parent.is_dir():
                remove_whole(page)
