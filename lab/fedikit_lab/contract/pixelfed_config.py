"""What an administrator may change in Pixelfed's stand-in: the variables decide, or what the database kept first."""

from .pixelfed_settings import Settings
from .pixelfed_store import Store


class Config:
    """Values by what upstream calls them; a switch that is on is true."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def __getitem__(self, key: str) -> str:
        value = self._settings.kept[key]
        return self._store.keep_first(key, value) if self._settings.keeps_first else value

    def number(self, key: str) -> int:
        return int(self[key])

    def is_on(self, key: str) -> bool:
        return bool(self[key])
