"""What a host needs sent: its packages resolved, its images found. Debian's lists and registries say what, no host."""

import zlib
from base64 import b64decode
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fedikit.errors import AgentFailed
from fedikit.events import Tell
from fedikit.remote.answer_messages import Answer
from fedikit.remote.messages import MISTRUST
from fedikit.remote.payload import parts_of_images
from fedikit.remote.sessions import Asked, Sessions
from fedikit.results.plan import ImageParts

if TYPE_CHECKING:
    from fedikit.store import Deb

STATUS_BYTES = 128 * 1024 * 1024
"""The largest dpkg status that is unpacked."""


def packages_for(host: str, asked: Asked, sessions: Sessions, tell: Tell) -> "tuple[Deb, ...]":
    """What has to be installed for the wanted packages: from the host's own store, or resolved here."""
    answer = asked.answer
    if not answer.packages:
        return ()
    own = _from_own_store(answer)
    if own is not None:
        return own
    from fedikit.store import locked_debs, resolve  # needed where packages are only

    lock = sessions.deployment.lock
    wanted = {name: None if lock else version or None for name, version in answer.packages.items()}
    debs = resolve(
        wanted,
        status=unpacked(host, answer.dpkg_status),
        codename=answer.codename,
        architecture=answer.architecture,
        store=sessions.store,
        tell=tell,
        ours=answer.ours,
    )
    if lock:  # another version of what is there is no lack for apt: it is named by the host alone
        return locked_debs(
            [*answer.packages, *(deb.name for deb in debs)],
            lock.packages.get(host, {}),
            codename=answer.codename,
            architecture=answer.architecture,
            snapshots=sessions.deployment.packages.snapshots,
            store=sessions.store,
            tell=tell,
        )
    return debs


def unpacked(host: str, status: str) -> bytes:
    """The dpkg status that a host sent; raises AgentFailed for what is none."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(b64decode(status, validate=True), STATUS_BYTES)
    except (ValueError, zlib.error) as error:
        raise AgentFailed(host, f"sent a dpkg status that cannot be read: {error}", hint=MISTRUST) from None
    if unpacking.unconsumed_tail:
        raise AgentFailed(host, f"sent a dpkg status of more than {STATUS_BYTES >> 20} MiB", hint=MISTRUST)
    return text


def _from_own_store(answer: Answer) -> "tuple[Deb, ...] | None":
    """In a rollback: the packages of that generation, if the host still has them all."""
    known, in_store = answer.debs, set(answer.store)
    if not known.keys() >= answer.packages.keys() or any(deb.sha256 not in in_store for deb in known.values()):
        return None
    from fedikit.store import Deb

    return tuple(
        Deb(name=name, version=deb.version, sha256=deb.sha256, size=0, architecture="", uri="", file_name="")
        for name, deb in known.items()
    )


def images_for(host: str, asked: Asked, sessions: Sessions) -> tuple[ImageParts, ...]:
    """What the host lacks of images; if not all of it is in the store, their registries must answer now."""
    lacking = set(asked.answer.contents)
    if not lacking:
        return ()
    found: list[ImageParts] = []
    for reference, manifest, parts in sorted(_builds(asked), key=lambda build: -len(lacking & set(build[2]))):
        if own := tuple(part for part in parts if part in lacking):
            size = sum(asked.payload.size_of(part) or 0 for part in own)
            found.append(ImageParts(reference=reference, manifest=manifest, parts=own, size=size))
            lacking -= set(own)  # what several share is one's, the one's that has most to send
    elsewhere = [image for image in found if not all(sessions.store.has(part) for part in image.parts)]
    if elsewhere and asked.answer.target is not None:
        _refuse_strange_registries(host, elsewhere, sessions)
    sessions.images.ask((image.reference, f"sha256:{image.manifest}") for image in elsewhere)
    return tuple(found)


def _builds(asked: Asked) -> Iterator[tuple[str, str, list[str]]]:
    """The images of the host, as wanted; those that it names itself count in a rollback only, which wants nothing."""
    if asked.answer.target is None:
        yield from parts_of_images(asked.payload.items)
    else:
        yield from ((image.reference, image.manifest, image.parts) for image in asked.answer.images)


def _refuse_strange_registries(host: str, images: list[ImageParts], sessions: Sessions) -> None:
    """A host does not choose where the deployer connects to: only repositories that are known here are asked."""
    items = (item for state in sessions.deployment.hosts.values() for item in state.items)
    references = {item.image[0] for item in items if item.image}
    known = {_repository(reference) for reference in references | sessions.images.names()}
    if strange := [image.reference for image in images if _repository(image.reference) not in known]:
        raise AgentFailed(
            host,
            f"wants {', '.join(strange)} back, from where nothing was ever deployed from here; nobody was asked for it",
            hint="if it is right, bring it into the store first: fedikit store fetch",
        )


def _repository(reference: str) -> str:
    return reference.rpartition(":")[0]
