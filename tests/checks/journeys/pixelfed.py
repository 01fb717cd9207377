"""Pixelfed in a browser. Selectors as in upstream's login page and ComposeModal.vue."""

from dataclasses import dataclass
from pathlib import Path

from tests.checks.journeys.browser import Browser

_COMPLAINT = ".invalid-feedback"
_CAPTION = "textarea[placeholder='Write a caption...']"


@dataclass(frozen=True)
class Pixelfed:
    """One Pixelfed, at `site`, such as https://pixelfed.example.org."""

    browser: Browser
    site: str

    def sign_in(self, email: str, password: str) -> None:
        """Logs in through the form, and arrives at the timeline."""
        assert self._is_let_in(email, password), f"{self.site} does not let {email} in"

    def is_refused(self, email: str, password: str) -> bool:
        """Whether the form does not let somebody in, and says so."""
        return not self._is_let_in(email, password)

    def publish_picture(self, picture: Path, caption: str, *, media: str) -> str:
        """Posts a picture; returns the address below `media` from where the browser has loaded it.

        A picture is first served by Pixelfed itself, and later, once its workers have moved it, by the media host.
        """
        browser = self.browser
        browser.open(f"{self.site}/i/web/compose")
        browser.choose_file("#pf-dz", picture, "the field for a file")
        browser.wait(self._may_caption, "the picture to be uploaded")
        browser.fill(_CAPTION, caption, "the field for the caption")
        browser.press_word("Post")
        browser.wait(lambda: browser.path.startswith("/i/web/post/"), "the page of the post")
        return browser.loaded_picture("img:not([src*=avatar])", media, reload=True)

    def _may_caption(self) -> bool:
        """Whether the last step is reached; the one before it offers to edit the picture."""
        if self.browser.has_word("Next"):
            self.browser.press_word("Next")
        return self.browser.sees(_CAPTION)

    def _is_let_in(self, email: str, password: str) -> bool:
        browser = self.browser
        browser.open(f"{self.site}/login")
        browser.fill("input#email", email, "the field for the address")
        browser.fill("input#password", password, "the field for the password")
        browser.press("form button[type=submit]", "the button that logs in")
        browser.wait(lambda: self._has_arrived() or browser.sees(_COMPLAINT), "the timeline, or a complaint")
        return self._has_arrived()

    def _has_arrived(self) -> bool:
        return self.browser.path.startswith("/i/web")
