"""The operators' panel in a browser, found by the classes of its parts."""

from dataclasses import dataclass, replace

from selenium.webdriver.common.keys import Keys

from tests.checks.journeys.browser import Browser

_DESK = ".fk-desk"
_COMPLAINT = ".fk-message"


@dataclass(frozen=True)
class Panel:
    """One panel, at `site`, such as https://panel.example.org."""

    browser: Browser
    site: str

    # The door

    def sign_in(self, name: str, password: str) -> None:
        """Signs in through the form, and arrives at the panel."""
        assert self._is_let_in(name, password), f"{self.site} does not let {name} in"

    def is_refused(self, name: str, password: str) -> bool:
        """Whether the form does not let somebody in, and says so."""
        return not self._is_let_in(name, password)

    def _is_let_in(self, name: str, password: str) -> bool:
        browser = self.browser
        browser.open(f"{self.site}/login")
        browser.fill("input#name", name, "the field for the name")
        browser.fill("input#password", password, "the field for the password")
        browser.press("form button[type=submit]", "the button that signs in")
        browser.wait(lambda: browser.sees(_DESK) or browser.sees(_COMPLAINT), "the panel, or a complaint")
        return browser.sees(_DESK)

    # Its pages

    def go(self, page: str) -> str:
        """Goes to a page by its tab, and reads it."""
        self.browser.press(f".fk-tab-{page}", f"the tab of {page}")
        return self.read(page)

    def read(self, page: str) -> str:
        """What can be read on a page, once it is there."""
        return self.browser.read(f".fk-page-{page}", f"the page {page}")

    def keep(self, name: str) -> None:
        """Keeps a picture of the whole page."""
        driver = self.browser.driver
        before = driver.get_window_size()
        height = driver.execute_script("return document.documentElement.scrollHeight + 150")
        driver.set_window_size(before["width"], max(int(height), before["height"]))
        self.browser.screenshot(name)
        driver.set_window_size(before["width"], before["height"])

    # The form

    def tick(self, path: str) -> None:
        """Turns the switch of a setting."""
        self.browser.press(f"{_field(path)} input[type=checkbox]", f"the switch {path}")

    def enter(self, path: str, text: str) -> None:
        """Writes a setting, and leaves its field."""
        self.browser.fill(f"{_field(path)} :is(input, textarea)", text + Keys.TAB, f"the field {path}")

    def mistake(self, path: str) -> str:
        """What is said to be wrong with a setting, below its field."""
        return self.browser.read(f".fk-error-{path.replace('.', '-')}", f"what is wrong with {path}")

    # What is done

    def look(self) -> str:
        """Asks what would change, and reads it."""
        self.browser.press(".fk-look", "the button that asks what would change")
        return self.plan()

    def plan(self) -> str:
        """Reads what would change, once the machines have said it."""
        self.browser.see(".fk-exact", "the plan")
        return self.read("look")

    def do(self) -> None:
        """Has done what was looked at, and comes to where it can be followed."""
        self.browser.press(".fk-do", "the button that has it done")
        self.browser.see(".fk-page-progress", "the page that follows it")

    def state(self) -> str:
        """What is said of the run that goes on, or went on last."""
        return self.browser.read(".fk-run-state", "how the run is")

    def end(self, *, seconds: float) -> str:
        """What is said of the run once it has ended."""
        patient = replace(self.browser, seconds=seconds)
        patient.wait(lambda: self.state() and not self.browser.sees(".fk-cancel"), "the end of the run")
        return self.state()

    def password(self, application: str) -> str:
        """The password of an application's first user, as the page of checks tells it, which must be open."""
        self.browser.press(f".fk-password-{application}", "the fold of the password")
        password = self.browser.read(".fk-secret code", "the password")
        self.browser.press(f".fk-password-{application}", "the fold of the password")
        return password

    def record(self) -> str:
        """The address of the newest run's record, on the page of the history, which must be open."""
        what = "the link to a record"
        return self.browser.wait(lambda: self.browser.see(".fk-record a", what).get_attribute("href"), what)

    # Windows

    def close_tab(self) -> None:
        """Closes the tab, and opens an empty one."""
        driver = self.browser.driver
        old = driver.current_window_handle
        driver.switch_to.new_window("tab")
        new = driver.current_window_handle
        driver.switch_to.window(old)
        driver.close()
        driver.switch_to.window(new)

    def follow(self, selector: str, what: str) -> "Visit":
        """Presses a link that opens beside the panel."""
        driver = self.browser.driver
        known = set(driver.window_handles)
        self.browser.press(f"{selector} a", what)
        (new,) = self.browser.wait(lambda: set(driver.window_handles) - known, f"{what} to open")
        visit = Visit(self.browser, driver.current_window_handle)
        driver.switch_to.window(new)
        return visit


@dataclass(frozen=True)
class Visit:
    """A look at another page beside the panel; as a context manager it is over in the end."""

    browser: Browser
    before: str

    def __enter__(self) -> Browser:
        return self.browser

    def __exit__(self, *_: object) -> None:
        self.browser.driver.close()
        self.browser.driver.switch_to.window(self.before)


def _field(path: str) -> str:
    return f".fk-field-{path.replace('.', '-')}"
