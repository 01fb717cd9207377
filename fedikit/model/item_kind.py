"""What all kinds of items have in common, and what each may say of itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from fedikit.model.value import Value

ItemId = Annotated[
    str, Field(pattern=r"^(package|file|directory|symlink|user|unit|job|image|database|bucket|cluster|firewall):.+$")
]
SHORT = 16
"""How many digits of a digest tell things apart that are compared with their like."""


class BaseItem(Value):
    """What all kinds have in common. What must be known of a kind elsewhere is said by its class, and asked of that.

    content_field       the field that holds its content, which travels apart from the item
    is_text             its content is a text for people: an empty one counts, plans show it, editions of it are kept
    is_told_together    a plan tells of all of them together
    has_image           it is a container image
    is_store            it bears data that its application knows by its name, on whichever host
    may_bear_data       it may bear data
    may_be_a_providers  if no host has it any more, a provider of the application may
    goes_by_last_part   it moves along with what it lies in, and is known by the last part of its name then
    is_served           users lose something when it leaves a host before it has come to another
    """

    content_field: ClassVar[str] = ""
    is_text: ClassVar[bool] = False
    is_told_together: ClassVar[bool] = False
    has_image: ClassVar[bool] = False
    is_store: ClassVar[bool] = False
    may_bear_data: ClassVar[bool] = False
    may_be_a_providers: ClassVar[bool] = False
    goes_by_last_part: ClassVar[bool] = False
    is_served: ClassVar[bool] = False

    @property
    def is_spread(self) -> bool:
        """Whether it says what other hosts keep too."""
        return False

    @property
    def watched(self) -> tuple[str, ...]:
        """The ids of the items whose change this item answers to."""
        return ()

    @property
    def package(self) -> str:
        """The Debian package that it is."""
        return ""

    @property
    def unit(self) -> str:
        """The unit of systemd's that it is, which has a journal."""
        return ""

    @property
    def image(self) -> tuple[str, str | None] | None:
        """The container image that it is: its reference, and its digest if that is fixed."""
        return None

    def fingerprint(self, own: Mapping[str, Any], digest: Callable[[Sequence[str]], str]) -> str:
        """What becomes another when it is to be acted upon anew; empty where there is nothing to be done but to be.

        `own`: the item as it travels; `digest`: of items that come before it.
        """
        return ""

    @classmethod
    def plain_name(cls, name: str) -> str:
        """What people call it, by the name in its id."""
        return name
