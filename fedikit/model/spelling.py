"""Spelling: what somebody meant who wrote a name or an address as people do, not as machines want it.

Letters beyond ASCII become what stands for them in the DNS, by IDNA 2008.
"""

import re

LONGEST = 300  # characters; what is longer is no name, and takes long to look at


def right_spelling(text: str, pattern: str) -> str:
    """The text as the pattern wants it, if it can be spelt so: `Bücher.example.` as `xn--bcher-kva.example`; or ""."""
    if len(text) > LONGEST:
        return ""
    local, at, name = text.strip().rpartition("@")
    spelt = f"{local}{at}{_in_the_dns(_bare(name))}"
    return spelt if spelt != text and re.search(pattern, spelt) else ""


def _bare(text: str) -> str:
    """Without what stands around a name in a web address."""
    return re.sub(r"^https?://|[/?#].*$", "", text, flags=re.IGNORECASE)


def _in_the_dns(name: str) -> str:
    import idna  # slow to import, and needed for mistakes only

    try:
        return idna.encode(name.rstrip("."), uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        return ""
