"""Videos in the REST API of PeerTube's stand-in. Files come in pieces (the X-headers protocol of uploadx).

A piece says where in the file it belongs; the answer to the last one is the video. What is on its way is lost when the
server starts anew, as upstream empties its directory of temporary files.
"""

import json
import re
import secrets
from pathlib import Path
from typing import Any

from .peertube_doors import Doors, Routes, paged, problem, wrong_parameters
from .peertube_settings import Settings
from .peertube_store import Store
from .peertube_videos import DATA, INTERNAL, PUBLIC, PUBLISHED, STATES, Videos, is_private, is_video, short_form
from .shared import Answer, Request, json_answer
from .tables import Row

_NAME_LENGTHS = range(3, 121)
_PRIVACIES = range(1, 5)  # not by password: for that, passwords must be given along
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_ROOM = DATA / "tmp" / "resumable-uploads"


class Uploads:
    """What is answered under /api/v1/videos."""

    def __init__(self, settings: Settings, store: Store, videos: Videos, doors: Doors) -> None:
        self._settings = settings
        self._store = store
        self._videos = videos
        self._doors = doors

    def routes(self) -> Routes:
        doors, videos = self._doors, "/api/v1/videos"
        return {
            ("GET", videos): lambda request: paged(request, map(self._told, self._videos.list())),
            ("POST", f"{videos}/upload-resumable"): doors.for_user(self._begin),
            ("PUT", f"{videos}/upload-resumable"): doors.for_user(self._continue),
            ("DELETE", f"{videos}/upload-resumable"): doors.for_user(self._give_up),
            ("PUT", f"{videos}/{{id}}"): doors.for_user(self._change),
            ("GET", f"{videos}/{{id}}"): self._video,
        }

    def _begin(self, request: Request, user: Row) -> Answer:
        fields, size = request.fields(), request.header("X-Upload-Content-Length")
        wrong = [name for name in ("filename", "name", "channelId") if not fields.get(name)]
        wrong += [] if size.isdigit() else ["x-upload-content-length"]
        wrong += [] if request.header("X-Upload-Content-Type") else ["x-upload-content-type"]
        if wrong:
            return wrong_parameters(wrong)
        if not is_video(fields["filename"]):
            return problem(415, "This file is not supported.")
        if fields["channelId"] != str(user["id"]):
            return problem(403, "The channel does not belong to the user.")
        if not self._has_room(user, int(size)):
            return problem(413, "The user video quota is exceeded", "quota_reached")
        token = secrets.token_hex(16)
        _ROOM.mkdir(parents=True, exist_ok=True)
        (_ROOM / f"{token}.json").write_text(json.dumps({**fields, "size": int(size), "user": user["id"]}))
        (_ROOM / token).touch()
        address = f"{self._settings.url}/api/v1/videos/upload-resumable?upload_id={token}"
        return Answer(201).having(("Location", address))

    def _continue(self, request: Request, user: Row) -> Answer:
        """Takes a piece; what was cut off may be sent again from where it ended."""
        file, wanted = self._known(request, user)
        place = _RANGE.fullmatch(request.header("Content-Range"))
        if not wanted:
            return problem(404, "File not found")
        if not place or int(place[3]) != wanted["size"] or int(place[1]) > file.stat().st_size:
            return problem(409, "File conflict")
        with file.open("r+b") as pieces:
            pieces.seek(int(place[1]))
            pieces.write(request.body)
        there = file.stat().st_size
        if there < wanted["size"]:
            return Answer(308).having(("Range", f"bytes=0-{there - 1}"))
        return self._finish(file, wanted, user)

    def _finish(self, file: Path, wanted: Any, user: Row) -> Answer:
        named = file.rename(file.with_suffix(Path(wanted["filename"]).suffix))
        file.with_suffix(".json").unlink()
        number = self._videos.add(user, wanted["name"], int(wanted.get("privacy", PUBLIC)), named)
        video = self._videos.find(number) or {"id": 0}
        return json_answer({"video": {"id": video["id"], "uuid": number, "shortUUID": short_form(number)}})

    def _give_up(self, request: Request, user: Row) -> Answer:
        file, wanted = self._known(request, user)
        if not wanted:
            return problem(404, "File not found")
        file.unlink()
        file.with_suffix(".json").unlink()
        return Answer(204)

    def _known(self, request: Request, user: Row) -> tuple[Path, Any]:
        """Where an upload is kept, and what was said when it began; nothing if that was somebody else."""
        file = _ROOM / Path(request.query.get("upload_id", "-")).name
        note = file.with_suffix(".json")
        wanted = json.loads(note.read_text()) if note.is_file() else {}
        return file, wanted if wanted.get("user") == user["id"] else {}

    def _has_room(self, user: Row, size: int) -> bool:
        """Quotas are the only limit; they count what was uploaded, not what became of it."""
        statement = 'select coalesce(sum(size), 0) as total from video where "userId" = %s'
        daily = f"{statement} and \"createdAt\" > now() - interval '1 day'"
        kept = [self._store.ask(asked, user["id"])[0]["total"] + size for asked in (statement, daily)]
        quotas = (user["videoQuota"], user["videoQuotaDaily"])
        return all(quota == -1 or total < quota for quota, total in zip(quotas, kept, strict=True))

    def _video(self, request: Request, number: str) -> Answer:
        video = self._videos.find(number)
        if not video:
            return problem(404, "Video not found")
        if is_private(video):
            return self._doors.for_user(lambda _, user: self._to_who_may(video, user))(request)
        return json_answer(self._told(video))

    def _to_who_may(self, video: Row, user: Row) -> Answer:
        if video["privacy"] != INTERNAL and user["id"] != video["userId"]:
            return problem(403, "Cannot fetch information of private/internal/blocked video")
        return json_answer(self._told(video))

    def _told(self, video: Row) -> Row:
        """Files of private videos are asked of PeerTube itself, if it reads the bucket for its visitors."""
        return {**self._with_files(video), "url": f"{self._settings.url}/videos/watch/{video['uuid']}"}

    def _with_files(self, video: Row) -> Row:
        if not (is_private(video) and self._settings.places and self._settings.proxifies):
            return told_video(video)
        folder, playlist = f"{self._settings.url}/object-storage-proxy", Path(video["playlistUrl"] or "").name
        file = video["fileUrl"] and f"{folder}/web-videos/private/{video['filename']}"
        hls = video["playlistUrl"] and f"{folder}/streaming-playlists/hls/private/{video['uuid']}/{playlist}"
        return told_video({**video, "fileUrl": file, "playlistUrl": hls})

    def _change(self, request: Request, user: Row, number: str) -> Answer:
        video = self._videos.find(number)
        given: Any = request.json() or request.fields()
        if not video or video["userId"] != user["id"]:
            return problem(404, "Video not found")
        name, privacy = given.get("name", video["name"]), int(given.get("privacy", video["privacy"]))
        if len(name) not in _NAME_LENGTHS or privacy not in _PRIVACIES:
            return wrong_parameters(["name", "privacy"])
        self._store.ask("update video set name = %s, privacy = %s where id = %s", name, privacy, video["id"])
        return Answer(204)


def told_video(video: Row) -> Row:
    """A video as the API tells of it: files of their own, or playlists."""
    playlist = {"id": video["id"], "type": 1, "playlistUrl": video["playlistUrl"]}
    return {
        "id": video["id"],
        "uuid": str(video["uuid"]),
        "shortUUID": short_form(str(video["uuid"])),
        "name": video["name"],
        "privacy": {"id": video["privacy"]},
        "state": {"id": video["state"], "label": STATES[video["state"]]},
        "account": {"name": video["username"], "displayName": video["username"]},
        "files": [{"fileUrl": video["fileUrl"]}] if video["fileUrl"] else [],
        "streamingPlaylists": [playlist] if video["state"] == PUBLISHED and video["playlistUrl"] else [],
    }
