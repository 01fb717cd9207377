"""What the ways to the database servers have in common."""

MARK = "made by fedikit"
"""The comment on each database that fedikit made: what bears it may be mended."""


def literal(text: str) -> str:
    """A text in SQL; the servers are told to take backslashes as they are."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str, quote: str = '"') -> str:
    """A name in SQL."""
    return quote + name.replace(quote, quote * 2) + quote
