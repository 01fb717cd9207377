"""Accounts: the initial user as an application has it. A plan says what becomes of the former one."""

from typing import Literal

from fedikit.model.value import AccountName, EmailAddress, Value

Address = Literal["follows", "stays", "none"]
"""What becomes of an account's address when another is configured; none where accounts have no address."""


class Account(Value):
    """The initial user's account in one application."""

    username: AccountName
    email: EmailAddress
    rights: str
    """What the user is there, such as an administrator."""
    address: Address
