"""Permissions: what is asked before something is shown that not everybody may see."""

from typing import Annotated

from pydantic import Field

from fedikit.model.value import DomainName, HeaderName, HeaderText, Line, ObjectKey, Value

AskedPath = Annotated[str, Field(pattern=r"^/([A-Za-z0-9._~/-]|\{[0-9]\})*$")]
"""A URL path; `{0}` stands for the first step of the path that a visitor asks for, `{1}` for the second."""


class Permission(Value):
    """A page of another web site: what a visitor asks for is shown if it answers with success, and else its answer.

    It is asked without the visitor's own word for who they are (`Authorization`): it tells what everybody may see.
    """

    domain: DomainName
    """The site that is asked, over HTTPS."""
    path: AskedPath
    headers: dict[HeaderName, HeaderText] = Field(default_factory=dict)
    """What is told it besides."""
    at: Line | None = None
    """The address of its host; where its name leads if absent."""


class Shown(Value):
    """Those objects of a public bucket whose keys begin with a prefix."""

    prefix: ObjectKey
    permission: Permission | None = None
    """Who is asked for each of them; everybody may read them if absent."""
