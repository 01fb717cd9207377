"""People: who has an account in the applications, as the operator writes it down."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from fedikit.model.value import AccountName, EmailAddress, Line, Written


class Chosen(Written):
    """A part of the configuration; its keys are in camelCase there."""

    model_config = ConfigDict(alias_generator=to_camel)


def _in_small_letters(address: Any) -> Any:
    """What people type beside it, or in capitals, makes no other address."""
    return address.strip().lower() if isinstance(address, str) else address


class Person(Chosen):
    """Someone with an account."""

    display_name: Line = Field(min_length=1, max_length=80, description="The name that others see.")
    username: AccountName = Field(description="The name to sign in with: small letters, digits and _.")
    email: Annotated[EmailAddress, BeforeValidator(_in_small_letters)] = Field(
        title="E-mail", description="Where mail reaches this person."
    )
