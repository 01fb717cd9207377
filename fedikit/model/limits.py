"""Limits: what an application does not take of names, passwords and texts; told before anything is sent anywhere."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fedikit.errors import Mistake
from fedikit.model.account import Address
from fedikit.model.strength import strength
from fedikit.model.value import Value

if TYPE_CHECKING:
    from fedikit.model.person import Person


class Limits(Value):
    """What upstream says of an account, where that is less than the model allows. Patterns fit the whole text."""

    rights: str = ""
    """What the initial user is there, such as "an administrator"; empty where there are no accounts."""
    address: Address = "follows"
    """What becomes of the initial user's address when the configuration says another."""
    username: str = ".*"
    """A pattern of names that it takes."""
    username_words: str = ""
    """The same in words, after "should": `have at least two letters`."""
    reserved: tuple[str, ...] = ()
    """Names that it keeps for itself."""
    display_name: int | None = None
    """How many characters the name may have that others see."""
    password_bytes: int | None = None
    """How many bytes a password may have."""
    password_bits: int | None = None
    """How hard to guess a password must be, in bits, as `strength` reckons."""
    email: str = ".*"
    """A pattern of addresses that it takes."""
    email_words: str = ""
    """The same in words, after "should"."""

    def mistakes(self, application: str, person: "Person", password: str | None) -> Iterator[Mistake]:
        """Why the application would not take the person; a password only if one was given."""
        if person.username in self.reserved:
            yield Mistake("initialUser.username", f"is a name that {application} keeps for itself")
        elif not re.fullmatch(self.username, person.username):
            yield Mistake("initialUser.username", f"should {self.username_words} for {application}")
        if self.display_name and len(person.display_name) > self.display_name:
            at_most = f"should have at most {self.display_name} characters for {application}"
            yield Mistake("initialUser.displayName", f"is too long, {at_most}")
        if not re.fullmatch(self.email, person.email):
            yield Mistake("initialUser.email", f"should {self.email_words} for {application}")
        if self.password_bytes and password and len(password.encode()) > self.password_bytes:
            at_most = f"should have at most {self.password_bytes} bytes for {application}"
            yield Mistake("initialUser.password", f"is too long, {at_most} (a letter with an accent takes two)")
        if self.password_bits and password and strength(password) < self.password_bits:
            more = "should be longer, or have more kinds of letters, digits and signs"
            yield Mistake("initialUser.password", f"is too easy to guess, {more} for {application}")
