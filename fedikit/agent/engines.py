"""The servers of databases that there are, behind one face."""

from typing import Any, Protocol

from .eyes import Eyes, State
from .hands import Hands
from .mariadb import MariaDB
from .postgresql import PostgreSQL

Item = dict[str, Any]


class Engine(Protocol):
    """What a server can be asked and told.

    A state tells, besides what the engine itself compares: `type`; `ours`, whether fedikit made the database; `user`,
    whether its user is there; `verifier`, the seal of what the server keeps of the password, empty without a user.
    """

    title: str
    package: str
    unit: str
    data: str

    def is_installed(self, eyes: Eyes) -> bool: ...
    def has_data(self, eyes: Eyes) -> bool: ...
    def things(self, eyes: Eyes) -> list[tuple[str, str]] | None: ...
    def clusters(self, eyes: Eyes) -> list[str]: ...
    def remains(self, eyes: Eyes) -> list[str]: ...
    def look(self, eyes: Eyes, item: Item) -> State | None: ...
    def differences(self, item: Item, state: State) -> list[str]: ...
    def conflict(self, item: Item, state: State) -> str: ...
    def make(self, hands: Hands, item: Item, state: State, *, password: bytes | None, is_ours: bool) -> None: ...
    def drop(self, hands: Hands, item: Item) -> None: ...
    def drop_user(self, hands: Hands, item: Item) -> None: ...


ENGINES: dict[str, Engine] = {"postgresql": PostgreSQL(), "mariadb": MariaDB()}
