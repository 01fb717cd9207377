"""In which folders a host's Caddy looks for certificates: one for each authority that it asks, named by its address.

It knows no others: what another authority issued is used where it lies in one of these, until it nears its end.
"""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from fedikit.model.deployment import Deployment
from fedikit.model.item import File
from fedikit.policies.web import CADDYFILE
from fedikit.remote.data_messages import Certificate

USUAL = "https://acme-v02.api.letsencrypt.org/directory"
"""Whom Caddy asks where its file names nobody."""
_NAMED = re.compile(r"^\s*acme_ca\s+(\S+)$", re.MULTILINE)


def folders_of(deployment: Deployment, host: str) -> list[str]:
    """The folders of the authority that the host asks; none where it has no Caddy of ours."""
    texts = [item.content for item in deployment.hosts[host].items if isinstance(item, File) and item.path == CADDYFILE]
    found = [_NAMED.search(text) for text in texts if isinstance(text, str)]
    return list(dict.fromkeys(name for named in found for name in _names_of(named[1] if named else USUAL)))


def _names_of(directory: str) -> Iterator[str]:
    """Versions of Caddy differ in what stands for the colon before a port."""
    place = urlsplit(directory)
    path = place.path.replace("/", "-").strip("-")
    for colon in ("-", ""):
        whole = "-".join(filter(None, (place.netloc.lower().replace(":", colon), path.lower())))
        yield re.sub(r"[^\w@.-]", "", whole)


def where_looked_for(certificates: Iterable[Certificate], folders: list[str]) -> Iterator[Certificate]:
    """These certificates as a Caddy that looks in these folders finds them; as they are if that is not known.

    What was noted of how another authority issued it, and would have it renewed, is left out.
    """
    for one in certificates:
        if not folders or one.issuer in folders:
            yield one
            continue
        noted = json.dumps({"sans": [one.domain]})
        yield from (one.model_copy(update={"issuer": folder, "json_": noted}) for folder in folders)
