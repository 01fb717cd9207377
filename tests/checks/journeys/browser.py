"""A browser whose every wait has an end, says what it waited for, and leaves a picture when it was in vain."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from selenium.common.exceptions import (
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement

from fedikit.errors import DeadlineExceeded

T = TypeVar("T")
_POLL_SECONDS = 0.1
_FIRST_RELOAD_SECONDS = 1
_NOT_YET = (NoSuchElementException, StaleElementReferenceException, ElementNotInteractableException)
# A certificate that is not trusted is no error to ChromeDriver: only the page tells it.
_ERROR_PAGE = """
    const code = document.URL.startsWith('chrome-error:') && document.querySelector('#error-code, .error-code')
    return code ? code.textContent : ''"""
# What was really loaded, with where it came from: a picture has a size, a video knows how long it is.
_LOADED_PICTURE = """
    const [selector, media, text] = arguments
    const near = picture => !text || (picture.closest('article') || document.body).textContent.includes(text)
    return [...document.querySelectorAll(selector)]
        .filter(picture => picture.complete && picture.naturalWidth > 0 && near(picture))
        .map(picture => picture.currentSrc).find(url => url.startsWith(media))"""
_LOADED_VIDEO = """
    const [media] = arguments
    const fetched = performance.getEntriesByType('resource').map(entry => entry.name)
    return [...document.querySelectorAll('video')]
        .filter(video => video.readyState > 0 && video.duration > 0)
        .flatMap(video => [video.currentSrc, ...fetched]).find(url => url.startsWith(media))"""


@dataclass(frozen=True)
class Browser:
    """A session of a browser; `pictures` is where its screenshots go."""

    driver: WebDriver
    pictures: Path
    seconds: float = 30
    """How long it waits for one thing."""

    def open(self, url: str) -> None:
        """Goes to a page, as if its address were typed; raises AssertionError when the browser shows an error page."""
        try:
            self.driver.get(url)
            reason: str = self.driver.execute_script(_ERROR_PAGE)
        except WebDriverException as error:
            reason = (error.msg or "").splitlines()[0]
        assert not reason, f"{url} cannot be opened: {reason}; see {self._keep(f'open {url}')}"

    @property
    def path(self) -> str:
        """Where it is, without the host."""
        return re.sub(r"^\w+://[^/]*", "", self.driver.current_url)

    def see(self, selector: str, what: str) -> WebElement:
        """The first visible element that fits, once there is one."""
        return self.wait(lambda: self._visible(selector), what)

    def sees(self, selector: str) -> bool:
        """Whether such an element is visible just now."""
        try:
            return self._visible(selector) is not None
        except _NOT_YET:
            return False

    def read(self, selector: str, what: str) -> str:
        """The text of the first visible element that fits, once it has one; it may be drawn anew meanwhile."""
        return self.wait(lambda: self.see(selector, what).text, what)

    def fill(self, selector: str, text: str, what: str) -> None:
        """Types a text instead of what stands in a field."""

        def typed() -> bool:
            field = self._visible(selector)
            if field is None or not field.is_enabled():
                return False
            field.clear()
            field.send_keys(text)
            return True

        self.wait(typed, what)

    def press(self, selector: str, what: str) -> None:
        """Clicks an element, once it is visible and enabled."""
        self.wait(lambda: self._pressed(self._visible(selector)), what)

    def press_word(self, word: str) -> None:
        """Clicks the link or the button that has this word on it."""
        self.wait(lambda: self._pressed(self._labelled(word)), f"{word!r} to press")

    def has_word(self, word: str) -> bool:
        """Whether there is a visible link or button with this word on it just now."""
        return self._labelled(word) is not None

    def choose_file(self, selector: str, file: Path, what: str) -> None:
        """Gives a file to a field, which may be hidden behind a button; the file travels to the browser."""

        def chosen() -> bool:
            self.driver.find_element(By.CSS_SELECTOR, selector).send_keys(str(file))
            return True

        self.wait(chosen, what)

    def loaded_picture(self, selector: str, media: str, *, near: str = "", reload: bool = False) -> str:
        """The address of a picture that this browser has loaded from `media`; `near` is a text of the same article."""
        ask = self._asking(_LOADED_PICTURE, selector, media, near, reload=reload)
        return self.wait(ask, f"a picture from {media} to be loaded")

    def loaded_video(self, media: str, *, play: str = "") -> str:
        """The address of the video of this page, once the browser has loaded enough of it from `media` to play.

        `play` is the button that begins it, of a player that loads nothing before.
        """
        ask = self._asking(_LOADED_VIDEO, media, reload=True)

        def played() -> str | None:
            if play and self.sees(play):
                assert not ask(), f"the player loads a video from {media} before anybody wants to see it"
                self._pressed(self._visible(play))
            return ask()

        return self.wait(played, f"a video from {media} to be loaded")

    def screenshot(self, name: str) -> Path:
        """Saves a picture of what is seen."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        picture = self.pictures / f"{name}.png"
        self.driver.save_screenshot(str(picture))
        return picture

    def wait(self, condition: Callable[[], T | None], what: str) -> T:
        """What the condition gives at last; raises DeadlineExceeded, with a picture and the page's source kept."""
        deadline = time.monotonic() + self.seconds
        while True:
            try:
                if found := condition():
                    return found
            except _NOT_YET:
                pass
            if time.monotonic() > deadline:
                last = f"{self.driver.current_url} ({self.driver.title})"
                raise DeadlineExceeded(what, self.seconds, last=last, hint=f"see {self._keep(what)}, .png and .html")
            time.sleep(_POLL_SECONDS)

    def _asking(self, script: str, *given: str, reload: bool) -> Callable[[], str | None]:
        """What a script gives, asked again of a fresh page ever less often if the page would not change by itself."""
        patience = _FIRST_RELOAD_SECONDS
        due = time.monotonic() + patience

        def ask() -> str | None:
            nonlocal patience, due
            if reload and time.monotonic() > due:
                self.driver.refresh()
                patience *= 2
                due = time.monotonic() + patience
            found: str | None = self.driver.execute_script(script, *given)
            return found

        return ask

    def _visible(self, selector: str) -> WebElement | None:
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return next((element for element in found if element.is_displayed()), None)

    def _labelled(self, word: str) -> WebElement | None:
        path = f"//*[self::a or self::button][normalize-space()='{word}']"
        return next((element for element in self.driver.find_elements(By.XPATH, path) if element.is_displayed()), None)

    def _pressed(self, element: WebElement | None) -> bool:
        if element is None or not element.is_enabled():
            return False
        element.click()
        return True

    def _keep(self, what: str) -> Path:
        """Saves what is seen and the page's source, named after what went wrong."""
        name = "failed-" + re.sub(r"\W+", "-", what).strip("-")[:60]
        picture = self.screenshot(name)
        picture.with_suffix(".html").write_text(self.driver.page_source)
        return picture.with_suffix("")
