"""Posts and their pictures in the contract image of Mastodon: from the upload over sidekiq's work to the timeline."""

import html
import itertools
import re
import secrets
import time
from pathlib import Path
from typing import Any

from .mastodon_database import Database, Row
from .mastodon_queue import Feeds, Queue
from .mastodon_settings import Settings
from .shared import Upload

WORK = "PostProcessMediaWorker"
LOCAL = Path("public/system")
_KINDS = re.compile(r"image/(jpeg|png|gif|webp|avif|heic|heif)|video/(mp4|webm|quicktime)|audio/(mpeg|ogg|wav|flac)")
_AT_ONCE = ("image/jpeg", "image/png", "image/webp", "image/avif", "image/heic", "image/heif")
_SIZES = ("original", "small")
_QUEUED, _IN_PROGRESS, _COMPLETE = range(3)
_sequence = itertools.count(secrets.randbelow(1 << 16))


class Unprocessable(Exception):
    """What upstream answers with 422, in its words."""


class Posts:
    """Everything that is done with posts."""

    def __init__(self, settings: Settings, client: Any) -> None:
        self._settings, self._database = settings, Database(settings.servers.database)
        self._queue, self._feeds = Queue(client), Feeds(client)

    def attach(self, account: int, upload: Upload | None) -> Row:
        """Takes an upload in. A picture is stored at once; sidekiq does the work on all that moves or sounds."""
        if not upload or not _KINDS.fullmatch(upload.kind):
            raise Unprocessable("Validation failed: File content type is invalid, File is invalid")
        number = _number()
        suffix = re.sub(r"[^a-z0-9.]", "", Path(upload.name).suffix.lower())
        self._database.rows(
            """INSERT INTO media_attachments (id, account_id, file_file_name, file_content_type, waiting)
               VALUES (%s, %s, %s, %s, %s)""",
            *(number, account, secrets.token_hex(8) + suffix, upload.kind, upload.content),
        )
        if upload.kind in _AT_ONCE:
            self.process(number)
        else:
            self._queue.put(WORK, number)
        return self.attachment(account, number) or {}

    def process(self, number: int) -> None:
        """Stores the file in its sizes and forgets the copy in the database."""
        row = self._database.row("SELECT * FROM media_attachments WHERE id = %s AND waiting IS NOT NULL", number)
        if row is None:
            return
        self._set_processing(number, _IN_PROGRESS)
        for size in _SIZES:
            self._store(_key(row, size), bytes(row["waiting"]), row["file_content_type"])
        self._database.rows("UPDATE media_attachments SET waiting = NULL WHERE id = %s", number)
        self._set_processing(number, _COMPLETE)

    def attachment(self, account: int, number: int) -> Row | None:
        """One attachment of an account, as the API shows it; its addresses are empty while it is processed."""
        row = self._database.row("SELECT * FROM media_attachments WHERE id = %s AND account_id = %s", number, account)
        return self._shown_attachment(row) if row else None

    def publish(self, account: int, text: str, attachments: list[int]) -> Row:
        """Posts a text with what was attached before."""
        if not text.strip() and not attachments:
            raise Unprocessable("Validation failed: Text can't be blank")
        self._check(account, attachments)
        number = _number()
        self._database.rows("INSERT INTO statuses (id, account_id, text) VALUES (%s, %s, %s)", number, account, text)
        if attachments:
            self._database.rows("UPDATE media_attachments SET status_id = %s WHERE id = ANY(%s)", number, attachments)
        self._feeds.add(account, [number])
        return self._shown([number])[0]

    def home(self, account: int) -> list[Row]:
        """An account's home timeline, out of its feed; one that Redis lost is built again."""
        if not self._feeds.newest(account, 1):
            rows = self._database.rows("SELECT id FROM statuses WHERE account_id = %s ORDER BY id", account)
            self._feeds.add(account, [row["id"] for row in rows])
        return self._shown(self._feeds.newest(account, 20))

    def of(self, account: int) -> list[Row]:
        """What an account posted, for everybody."""
        rows = self._database.rows("SELECT id FROM statuses WHERE account_id = %s ORDER BY id DESC LIMIT 20", account)
        return self._shown([row["id"] for row in rows])

    def newest(self, limit: int) -> list[Row]:
        """What was posted last, by whomever."""
        rows = self._database.rows("SELECT id FROM statuses ORDER BY id DESC LIMIT %s", limit)
        return self._shown([row["id"] for row in rows])

    def is_there(self, name: str, number: int) -> bool:
        """Whether that account posted it."""
        known = (
            "SELECT 1 FROM statuses JOIN accounts ON accounts.id = account_id WHERE statuses.id = %s AND username = %s"
        )
        return self._database.row(known, number, name) is not None

    def _check(self, account: int, attachments: list[int]) -> None:
        rows = self._database.rows(
            "SELECT processing FROM media_attachments WHERE id = ANY(%s) AND account_id = %s AND status_id IS NULL",
            *(attachments, account),
        )
        if len(rows) != len(set(attachments)):
            raise Unprocessable("Validation failed: media is not yours or is used already")
        if any(row["processing"] != _COMPLETE for row in rows):
            raise Unprocessable("Cannot attach files that have not finished processing. Try again in a moment!")

    def _set_processing(self, number: int, state: int) -> None:
        self._database.rows("UPDATE media_attachments SET processing = %s WHERE id = %s", state, number)

    def _store(self, key: str, content: bytes, kind: str) -> None:
        media = self._settings.media
        if media:
            media.bucket.put(media.prefix + key, content, kind, acl=media.acl)
            return
        path = LOCAL / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def _address(self, key: str) -> str:
        media = self._settings.media
        return f"{media.public}/{media.prefix}{key}" if media else f"https://{self._settings.web_domain}/system/{key}"

    def _shown(self, numbers: list[int]) -> list[Row]:
        rows = self._database.rows(
            """SELECT statuses.*, username, display_name FROM statuses JOIN accounts ON accounts.id = account_id
               WHERE statuses.id = ANY(%s) ORDER BY statuses.id DESC""",
            numbers,
        )
        media = self._database.rows("SELECT * FROM media_attachments WHERE status_id = ANY(%s) ORDER BY id", numbers)
        return [self._status(row, [one for one in media if one["status_id"] == row["id"]]) for row in rows]

    def _status(self, row: Row, media: list[Row]) -> Row:
        address = f"https://{self._settings.web_domain}/@{row['username']}"
        return {
            "id": str(row["id"]),
            "created_at": row["created_at"].isoformat(),
            "visibility": "public",
            "url": f"{address}/{row['id']}",
            "content": f"<p>{html.escape(row['text'])}</p>" if row["text"] else "",
            "account": {"acct": row["username"], "display_name": row["display_name"], "url": address},
            "media_attachments": [self._shown_attachment(one) for one in media],
        }

    def _shown_attachment(self, row: Row) -> Row:
        is_ready = row["processing"] == _COMPLETE
        original, small = (self._address(_key(row, size)) if is_ready else None for size in _SIZES)
        kind = row["file_content_type"].partition("/")[0]
        return {"id": str(row["id"]), "type": kind, "url": original, "preview_url": small, "description": None}


def _number() -> int:
    """A number that grows with time, as upstream's: milliseconds and a sequence."""
    return (int(time.time() * 1000) << 16) + next(_sequence) % (1 << 16)


def _key(row: Row, size: str) -> str:
    digits = f"{row['id']:018d}"
    steps = "/".join(digits[start : start + 3] for start in range(0, len(digits), 3))
    return f"media_attachments/files/{steps}/{size}/{row['file_file_name']}"
