"""What Debian's signed lists said of the package files in the store, for when the lists have dropped them."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from fedikit.store.artifact import Store
from fedikit.store.debian import Deb


def remember(debs: Iterable[Deb], store: Store) -> None:
    """Notes package files that came from where signed lists said, with the SHA-256 that they said."""
    for deb in debs:
        place = _place(deb.sha256, store)
        if deb.uri and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            half = place.with_suffix(".new")
            half.write_text(json.dumps(asdict(deb)))
            half.replace(place)


def remembered(sha256: str, store: Store) -> Deb | None:
    """The package file in the store with this hash, if it once came by signed lists: not everything there did."""
    try:
        deb = Deb(**json.loads(_place(sha256, store).read_text()))
    except (OSError, ValueError, TypeError):  # nothing, or what an older version wrote
        return None
    return deb if store.has(deb.sha256) and deb.sha256 == sha256 else None


def _place(sha256: str, store: Store) -> Path:
    return store.directory / "debs" / f"{sha256}.json"
