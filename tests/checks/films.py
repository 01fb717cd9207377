"""Films on PeerTube, as its API tells of them to their owner, and as its media host answers strangers."""

import http.client
import json
import socket
import ssl
import time
import urllib.parse
from typing import Any

from fedikit_lab import Lab

CLIENT = {"grant_type": "password", "response_type": "code"}
FORM = "application/x-www-form-urlencoded"
FOLDER = "streaming-playlists/hls"


class Films:
    """The films of one user; hosts are reached by their addresses, and recognised by the lab's authority."""

    def __init__(self, lab: Lab, domain: str, password: str) -> None:
        self._trust = ssl.create_default_context(cadata=lab.acme_root())
        self._site = (f"peertube.{domain}", lab["peertube"].address)
        self._media = (f"media.peertube.{domain}", lab["garage"].address)
        client = json.loads(self._asked("GET", "/api/v1/oauth-clients/local"))
        form = urllib.parse.urlencode({**client, **CLIENT, "username": "test", "password": password})
        self.token = json.loads(self._asked("POST", "/api/v1/users/token", form, Content_Type=FORM))["access_token"]

    def newest(self) -> str:
        """The uuid of the film that was published last."""
        return str(json.loads(self._asked("GET", "/api/v1/videos"))["data"][0]["uuid"])

    def change(self, number: str, **values: Any) -> None:
        self._asked("PUT", f"/api/v1/videos/{number}", json.dumps(values), Content_Type="application/json")

    def keys(self, number: str) -> list[str]:
        """The keys of its objects: playlists, and the film itself at the end."""
        names = [self._playlist(number).rpartition("/")[2]]
        for _ in range(2):
            told = self._asked("GET", f"/object-storage-proxy/{FOLDER}/private/{number}/{names[-1]}").decode()
            names.append(next(line for line in told.splitlines() if line and not line.startswith("#")))
        return [f"{FOLDER}/{number}/{name}" for name in names]

    def for_its_owner(self, number: str) -> bytes:
        """The film, from where PeerTube tells its owner that it is."""
        name = self.keys(number)[-1].rpartition("/")[2]
        return self._asked("GET", f"{self._playlist(number).rpartition('/')[0]}/{name}")

    def at_media_host(self, path: str, **headers: str) -> tuple[int, bytes]:
        """What a stranger gets there; the path is asked for as it is. Headers are given with _ for -."""
        return self._exchange(self._media, "GET", f"/{path}", headers=headers)

    def wait_until_answered(self, status: int, path: str) -> None:
        """What PeerTube decided of a film holds for ten seconds."""
        ends = time.monotonic() + 20
        while (seen := self.at_media_host(path)[0]) != status:
            assert time.monotonic() < ends, f"the media host still answers {path} with {seen}"
            time.sleep(0.5)

    def _playlist(self, number: str) -> str:
        """The address's path of its master playlist."""
        told = json.loads(self._asked("GET", f"/api/v1/videos/{number}"))
        return urllib.parse.urlsplit(told["streamingPlaylists"][0]["playlistUrl"]).path

    def _asked(self, method: str, path: str, body: str = "", **headers: str) -> bytes:
        token = getattr(self, "token", "")
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        status, content = self._exchange(self._site, method, path, body, headers | bearer)
        assert status < http.client.BAD_REQUEST, (method, path, status, content)
        return content

    def _exchange(
        self, where: tuple[str, str], method: str, path: str, body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        name, address = where
        connection = http.client.HTTPSConnection(name, timeout=20, context=self._trust)
        connection.sock = self._trust.wrap_socket(socket.create_connection((address, 443), 20), server_hostname=name)
        try:
            connection.request(
                method, path, body, {key.replace("_", "-"): text for key, text in (headers or {}).items()}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
