"""PeerTube in a browser. Selectors as in upstream's client/e2e/src/po."""

from dataclasses import dataclass
from pathlib import Path

from tests.checks.journeys.browser import Browser

_NAME_OF_USER = ".logged-in-info .display-name"
_COMPLAINT = ".alert-danger"
_SAVE = ".save-button > button:not([disabled])"
_WATCH = ".watch-save > my-button[icon=external-link] a"
_PLAY = ".vjs-big-play-button"
_GREETINGS = ("no_account_setup_warning_modal", "no_instance_config_warning_modal", "no_welcome_modal")


@dataclass(frozen=True)
class PeerTube:
    """One PeerTube, at `site`, such as https://peertube.example.org."""

    browser: Browser
    site: str

    def sign_in(self, username: str, password: str) -> None:
        """Logs in through the form, and sees the own name."""
        assert self._is_let_in(username, password), f"{self.site} does not let {username} in"

    def is_refused(self, username: str, password: str) -> bool:
        """Whether the form does not let somebody in, and says so."""
        return not self._is_let_in(username, password)

    def publish_video(self, video: Path, title: str, *, media: str) -> str:
        """Publishes a video; returns the address below `media` from where the browser has loaded it."""
        browser = self.browser
        browser.press(".publish-button > a", "the button to publish")
        browser.see(".upload-video-container", "the page to upload to")
        browser.choose_file(".upload-video-container input[type=file]", video, "the field for a file")
        browser.see(_SAVE, "the video to be uploaded")
        browser.fill("input#name", title, "the field for the title")
        browser.press(_SAVE, "the button that saves")
        self._watch(title)
        return browser.loaded_video(media, play=_PLAY)

    def _watch(self, title: str) -> None:
        """Goes to the page of the video; its link would open another window."""
        browser = self.browser
        browser.open(browser.see(_WATCH, "the link to the video").get_attribute("href") or self.site)
        browser.wait(lambda: browser.see(".video-info-name", "the title of the video").text == title, f"{title!r}")

    def _is_let_in(self, username: str, password: str) -> bool:
        browser = self.browser
        browser.open(f"{self.site}/login")
        for greeting in _GREETINGS:
            browser.driver.execute_script("localStorage.setItem(arguments[0], 'true')", greeting)
        browser.fill("input#username", username, "the field for the name")
        browser.fill("input#password", password, "the field for the password")
        browser.press("form input[type=submit]", "the button that logs in")
        browser.wait(lambda: browser.sees(_NAME_OF_USER) or browser.sees(_COMPLAINT), "the own name, or a complaint")
        return browser.sees(_NAME_OF_USER)
