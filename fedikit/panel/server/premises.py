"""Where the server is: the provider's `panel.toml` as it is now, and the folder of what must be remembered."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from fedikit.errors import ConfigurationError
from fedikit.panel.operators import Operator, PanelFile, load_panel
from fedikit.panel.server.factor import SecondFactor
from fedikit.panel.server.files import JsonFile, kept_secret, mark_of, private_folder
from fedikit.panel.server.sessions import Sessions
from fedikit.panel.server.throttle import Throttle

_LOG = logging.getLogger(__name__)


class Premises:
    """A `panel.toml` and its state folder. Raises FedikitError where they cannot be used."""

    def __init__(self, path: Path, *, clock: Callable[[], float]) -> None:
        self.path = path.absolute()
        self._mark = mark_of(self.path)
        self._panel = load_panel(self.path)
        self.state = private_folder(Path(self._panel.state))
        self.cookie_secret = kept_secret(self.state / "cookie.key")
        self.factor = SecondFactor(private_folder(self.state / "second-factor"), clock)
        self.sessions = Sessions(JsonFile(self.state / "sessions.json"), self, clock)
        self.throttle = Throttle(JsonFile(self.state / "throttle.json"), self.cookie_secret, clock)

    @property
    def panel(self) -> PanelFile:
        """The file as it is now; while it has mistakes, as it was before them."""
        mark = mark_of(self.path)
        if mark != self._mark:
            self._mark = mark
            self._read_again()
        return self._panel

    def operator(self, name: str) -> Operator | None:
        return self.panel.operators.get(name)

    def credentials_of(self, name: str) -> str | None:
        """What is another one when the operator's password or second factor is; None if there is no such operator."""
        operator = self.operator(name)
        if operator is None:
            return None
        return hashlib.sha256(f"{operator.password}\n{self.factor.mark(name)}".encode()).hexdigest()

    def _read_again(self) -> None:
        try:
            self._panel = load_panel(self.path)
            _LOG.info("%s was read again", self.path)
        except ConfigurationError as mistakes:
            _LOG.error("what was before goes on to hold: %s", mistakes)
