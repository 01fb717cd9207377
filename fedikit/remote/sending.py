"""What goes to a host piece by piece, and what comes back of its items: told as events while it happens."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from fedikit.events import ItemFinished, ItemStarted, Progress, Tell
from fedikit.remote.event_messages import ItemEvent

PIECE = 256 * 1024


def pieces_of(file: Path) -> Iterator[bytes]:
    """A file, in pieces of 256 KiB."""
    with file.open("rb") as opened:
        while piece := opened.read(PIECE):
            yield piece


def counted(pieces: Iterable[bytes], *, total: int, host: str, tell: Tell) -> Iterator[bytes]:
    """The same pieces; after each it is told how many bytes of all have gone."""
    done = 0
    for piece in pieces:
        yield piece
        done += len(piece)
        tell(Progress(what="sending", done=done, total=total, host=host))


def tell_item(host: str, event: ItemEvent, tell: Tell) -> None:
    """Tells of an item that it is begun, or ended."""
    about = {"host": host, "item": event.id, "action": event.action}
    if event.phase == "start":
        tell(ItemStarted(**about))
    else:
        tell(ItemFinished(**about, seconds=event.seconds, failed=event.failed))
