"""Files. What was there before one is in the store, and comes back when it leaves."""

from typing import TYPE_CHECKING, Any

from ..blobs import Blobs
from ..bystander import is_as_packaged
from ..change import Change
from ..eyes import ABSENT, BARRED, Eyes, State
from ..hands import Hands
from ..ledger import Record
from ..paths import PERMISSIONS, brought_to_safety, differing, in_words_of, obstacle, put_back_once_more, restore
from ..podman import container_by_hand
from ..work import Work
from .kind import Kind

if TYPE_CHECKING:
    from ..batch import Batch

Item = dict[str, Any]
UNIT_FILES = ("/etc/systemd/system/", "/etc/containers/systemd/")
DIFF_LIMIT = 64 * 1024
LARGEST_SECRET = 1 << 20
"""How large a file with secrets may be for them to be looked for in it."""
ASIDE = "rename it (podman rename), or take it away (podman rm)"
UNSHOWN = "content (too large to show, or no text)"


class FileKind(Kind):
    def observe(self, eyes: Eyes, item: Item) -> State:
        state = eyes.file_state(item["path"], sealed="seal" in item)
        if state == ABSENT and (container := container_by_hand(eyes, item["path"])):
            return {"type": BARRED, "why": f"there is a container {container} that was not started by systemd; {ASIDE}"}
        return in_words_of(eyes, item, state)

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state == ABSENT:
            return ["absent"]
        if state["type"] != "file":
            return [f"is a {state['type']}"]
        digest = "seal" if "seal" in item else "sha256"
        is_other = state[digest] not in (item[digest], None)  # None: sealed, and the key is not at hand
        content = ["content"] if is_other else []
        return content + differing(item, state, PERMISSIONS)

    def conflict(self, item: Item, state: State) -> str:
        return obstacle(state)

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        if self.differences(item, self.observe(hands, item), ""):
            content = work.content(item)
            hands.write(item["path"], content, owner=item["owner"], group=item["group"], mode=item["mode"])

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        return restore(hands, item["path"], work)

    def is_strange(self, eyes: Eyes, entry: Record) -> bool:
        """Whether a file is there that is neither the one from before fedikit nor as a package brought it."""
        path = entry["item"]["path"]
        return eyes.file_state(path) not in (ABSENT, entry.get("prior")) and not is_as_packaged(eyes, path)

    def shown(self, eyes: Eyes, change: Change, blobs: Blobs | None) -> Record:
        """A file's present text, and in a rollback the one that it would have again: only this host has that."""
        if not change.may_show or change.action not in ("update", "keep", "restore"):
            return {}
        before, after = _text_of(eyes, change), _text_going_back_to(change.item, blobs)
        if before is None and "content" in change.reasons:
            words = [UNSHOWN if reason == "content" else reason for reason in change.reasons]
            return {"before": before, "after": after, "reasons": words}
        return {"before": before, "after": after}

    def secret_text(self, eyes: Eyes, item: Item) -> str:
        """What it holds, unless that is known to be another than was written; without a master key nobody can tell."""
        state = eyes.file_state(item["path"], sealed=True)
        if state.get("type") != "file" or state["seal"] not in (None, item["seal"]):
            return ""
        content = eyes.read(item["path"])
        return content.decode(errors="replace") if len(content) <= LARGEST_SECRET else ""

    def prior(self, hands: Hands, change: Change, blobs: Blobs) -> State:
        return brought_to_safety(hands, change.item["path"], blobs)

    def edited_file(self, change: Change) -> str:
        """Not one with secrets."""
        return change.item["path"] if change.may_show and change.state.get("type") == "file" else ""

    def is_owed(self, change: Change) -> bool:
        return change.action == "restore" or _is_units(change)

    def after_leaving(self, batch: "Batch", left: list[Change]) -> None:
        """Has systemd forget the units whose files are gone; a generator's would stay until it reads all anew."""
        if any(_is_units(change) for change in left):
            batch.hands.run(["systemctl", "daemon-reload"])

    def once_more(self, batch: "Batch", left: list[Change]) -> None:
        for change in left:
            if change.action == "restore":
                prior = batch.ledger.entries[change.id]["prior"]
                put_back_once_more(batch.hands, change.item["path"], prior, batch.work.blobs)
        self.after_leaving(batch, left)


def _is_units(change: Change) -> bool:
    """Whether it is a file that leaves, and of which systemd or a generator of it makes a unit."""
    return change.action in ("delete", "restore") and change.item["path"].startswith(UNIT_FILES)


def _text_of(eyes: Eyes, change: Change) -> str | None:
    is_file = change.state.get("type") == "file"
    return _as_text(eyes.beginning(change.item["path"], DIFF_LIMIT)) if is_file else None


def _text_going_back_to(item: Item, blobs: Blobs | None) -> str | None:
    if not blobs or not blobs.has(item["sha256"]) or blobs.size(item["sha256"]) > DIFF_LIMIT:
        return None
    return _as_text(blobs.read(item["sha256"]))


def _as_text(content: bytes | None) -> str | None:
    """A text to draw a difference with; bytes that are no UTF-8 are spelt out. Nothing if it is no text at all."""
    return None if content is None or b"\0" in content else content.decode(errors="backslashreplace")


KIND = FileKind()
