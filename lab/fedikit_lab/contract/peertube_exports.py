"""Exports in PeerTube's stand-in: what an account has, in one archive whose name can be guessed."""

import io
import json
import threading
import zipfile
from datetime import UTC, datetime

from .peertube_doors import Doors, Routes, paged, problem
from .peertube_log import Log
from .peertube_settings import Settings
from .peertube_store import Store
from .peertube_users import told_user
from .peertube_videos import DATA
from .shared import Answer, BucketError, Request, json_answer
from .tables import Row

_PENDING, _COMPLETED, _ERRORED = 1, 3, 4


class Exports:
    """What is answered under /api/v1/users/NUMBER/exports."""

    def __init__(self, settings: Settings, store: Store, doors: Doors, log: Log) -> None:
        self._settings = settings
        self._store = store
        self._doors = doors
        self._log = log

    def routes(self) -> Routes:
        exports = "/api/v1/users/{id}/exports"
        return {
            ("POST", f"{exports}/request"): self._doors.for_themselves(self._request),
            ("GET", exports): self._doors.for_themselves(self._list),
        }

    def _request(self, request: Request, user: Row) -> Answer:
        if not self._settings.exports:
            return problem(400, "User export is disabled on this instance")
        name = f"user-export-{user['id']}-{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}.zip"
        statement = 'insert into "userExport" (filename, state, "userId") values (%s, %s, %s) returning id'
        number = self._store.ask(statement, name, _PENDING, user["id"])[0]["id"]
        threading.Thread(target=self._make, args=(number, name, user)).start()
        return json_answer({"export": {"id": number}})

    def _list(self, request: Request, user: Row) -> Answer:
        if not self._settings.exports:
            return problem(400, "User export is disabled on this instance")
        return paged(request, self._store.ask('select id, state from "userExport" where "userId" = %s', user["id"]))

    def _make(self, number: int, name: str, user: Row) -> None:
        state = _COMPLETED
        try:
            self._keep(name, _archive(user))
        except (BucketError, OSError) as error:
            self._log.error(f"Cannot generate an export: {error}")
            state = _ERRORED
        self._store.ask('update "userExport" set state = %s where id = %s', state, number)

    def _keep(self, name: str, content: bytes) -> None:
        place = self._settings.places.get("USER_EXPORTS")
        if place:
            place.put(name, content, "application/zip", is_private=True)
        elif self._settings.places:
            raise OSError("no bucket is named for exports")
        else:
            (DATA / "tmp-persistent" / name).write_bytes(content)


def _archive(user: Row) -> bytes:
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w") as archive:
        archive.writestr("peertube/account.json", json.dumps(told_user(user)))
    return room.getvalue()
