"""Mastodon in a browser. Selectors as in upstream's spec/system and app/javascript/mastodon/features/compose."""

from dataclasses import dataclass
from pathlib import Path

from tests.checks.journeys.browser import Browser

_HOME = "div.app-holder"
_COMPLAINT = ".flash-message"
_UPLOADED = ".compose-form__upload"
_POST_WITHOUT_DESCRIPTION = "Post anyway"


@dataclass(frozen=True)
class Mastodon:
    """One Mastodon, at `site`, such as https://mastodon.example.org."""

    browser: Browser
    site: str

    def sign_in(self, email: str, password: str) -> None:
        """Logs in through the form, and arrives at the home page."""
        assert self._is_let_in(email, password), f"{self.site} does not let {email} in"

    def is_refused(self, email: str, password: str) -> bool:
        """Whether the form does not let somebody in, and says so."""
        return not self._is_let_in(email, password)

    def publish_picture(self, picture: Path, text: str, *, media: str) -> str:
        """Posts a picture with a text; returns the address below `media` from where the browser has loaded it.

        The post is known by its text, which no earlier one may have.
        """
        browser = self.browser
        browser.open(f"{self.site}/home")
        browser.fill(".compose-form .autosuggest-textarea__textarea", text, "the field for a post")
        browser.choose_file(".compose-form input[type=file]", picture, "the field for a file")
        browser.see(_UPLOADED, "the picture to be uploaded")
        browser.press(".compose-form button[type=submit]", "the button that publishes")
        browser.wait(lambda: self._is_published(text), "the post to be published")
        pictures = ".media-gallery__item-thumbnail img"
        return browser.loaded_picture(pictures, media, near=text, reload=True)

    def _is_let_in(self, email: str, password: str) -> bool:
        browser = self.browser
        browser.open(f"{self.site}/auth/sign_in")
        browser.fill("input#user_email", email, "the field for the address")
        browser.fill("input#user_password", password, "the field for the password")
        browser.press("form button[type=submit]", "the button that logs in")
        browser.wait(lambda: browser.sees(_HOME) or browser.sees(_COMPLAINT), "the home page, or a complaint")
        return browser.sees(_HOME)

    def _is_published(self, text: str) -> bool:
        """Whether the post is in the timeline; if asked, it is posted without a description of the picture."""
        if self.browser.has_word(_POST_WITHOUT_DESCRIPTION):
            self.browser.press_word(_POST_WITHOUT_DESCRIPTION)
        posts = (
            "return [...document.querySelectorAll('.status__content')].some(s => s.textContent.includes(arguments[0]))"
        )
        return bool(self.browser.driver.execute_script(posts, text))
