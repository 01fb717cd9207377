"""The contract image of PeerTube: the commands that its image brings, and its server.

Started as `python3 -m contract.peertube PROGRAM ARGUMENTS…`, where the program is one of those that COMMANDS lays out.
"""

import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .peertube_api import Api
from .peertube_log import Log
from .peertube_pages import draw
from .peertube_settings import Settings, read_settings
from .peertube_store import ITSELF, Store
from .peertube_videos import DATA, Videos
from .shared import (
    Answer,
    Application,
    Environment,
    Refused,
    Request,
    html,
    json_answer,
    plain,
    redirect,
    run_program,
    serve,
)
from .version import VERSION

IMAGE: dict[str, Any] = {
    "user": "",
    "workdir": "/app",
    "env": {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "NODE_ENV": "production",
        "NODE_CONFIG_DIR": "/app/config:/app/support/docker/production/config:/config",
        "PEERTUBE_LOCAL_CONFIG": "/config",
    },
    "entrypoint": ["/usr/local/bin/entrypoint.sh"],
    "cmd": ["node", "dist/server"],
    "packages": ["python3", "python3-psycopg2", "python3-redis", "ca-certificates"],
    "owned": ["/data", "/config"],
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "/usr/local/bin/entrypoint.sh": ("entrypoint",),
    "/usr/local/bin/node": ("node",),
}
FILES: dict[str, str] = {"/usr/lib/contract/contract/files/peertube_variables.txt": "peertube_variables.txt"}
_DIRECTORIES = (
    "avatars bin cache captions client-overrides logs original-video-files plugins redundancy storyboards "
    "streaming-playlists thumbnails tmp tmp-persistent torrents uploads web-videos well-known"
).split()
_OWNED = (DATA, Path("../config"))
_USER = 999
_Handler = Callable[..., Answer]


def main(arguments: list[str]) -> int:
    """Runs one program of the image."""
    program, *rest = arguments
    return _PROGRAMS[program](rest)


def _enter(command: list[str]) -> int:
    """The entrypoint: started as root it gives data and configuration to peertube first, then becomes the command."""
    if os.geteuid() == 0:
        for path in (file for root in _OWNED for file in (root, *root.rglob("*"))):
            if path.exists() and path.stat().st_uid != _USER:
                os.chown(path, _USER, _USER)
        os.setgroups([])
        os.setgid(_USER)
        os.setuid(_USER)
    os.execvp(command[0], command)  # noqa: S606 - an argument list, no shell


def _run_node(arguments: list[str]) -> int:
    if arguments != ["dist/server"]:
        print(f"Error: Cannot find module '/app/{' '.join(arguments)}'", file=sys.stderr)
        return 1
    settings = read_settings(Environment())
    _make_directories()
    log = Log(f"{settings.hostname}:{settings.port}", settings.log_level, DATA / "logs")
    store = Store(settings, log)
    store.install()
    videos = Videos(settings, store, log)
    videos.begin()
    _take_live_streams(settings)
    site = Site(settings, store)
    application = Application({**Api(settings, store, videos, log).routes(), **site.routes()})
    return serve(application, *settings.listen, stop=_signals())


def _make_directories() -> None:
    """Makes what is missing in /data, and empties what is temporary."""
    shutil.rmtree(DATA / "tmp", ignore_errors=True)
    for name in _DIRECTORIES:
        try:
            (DATA / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(f"/data/{name} cannot be made: {error.strerror}; /data must belong to the user") from error


def _signals() -> tuple[int, ...]:
    """Upstream handles SIGINT alone, and the kernel gives the first process of a container no other by default."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return (signal.SIGINT,)
    return (signal.SIGINT, signal.SIGTERM)


def _take_live_streams(settings: Settings) -> None:
    """Listens for RTMP on all addresses, as upstream does, and hangs up on who comes."""
    if settings.rtmp_port is None:
        return
    listener = socket.create_server(("", settings.rtmp_port))

    def hang_up() -> None:
        while True:
            listener.accept()[0].close()

    threading.Thread(target=hang_up, daemon=True).start()


class Site:
    """What is answered outside of the API: the pages, and what other servers ask for."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def routes(self) -> dict[tuple[str, str], _Handler]:
        """The addresses that are answered."""
        pages = {"/": "Home", "/login": "Login", "/videos/publish": "Publish", "/w/{id}": "Watch"}
        return {
            **{("GET", path): self._page(which) for path, which in pages.items()},
            ("GET", "/videos/upload"): lambda _: redirect("/videos/publish"),
            ("GET", "/videos/watch/{id}"): lambda _, number: redirect(f"/w/{number}"),
            ("GET", "/static/web-videos/{name}"): self._file,
            ("GET", "/static/streaming-playlists/hls/{video}/{name}"): self._playlist_file,
            ("GET", "/.well-known/nodeinfo"): self._nodeinfo_link,
            ("GET", "/nodeinfo/2.0.json"): self._nodeinfo,
            ("GET", "/.well-known/webfinger"): self._webfinger,
        }

    def _page(self, which: str) -> _Handler:
        return lambda *_: html(draw(which, self._settings.name, self._settings.short_description))

    def _file(self, request: Request, name: str) -> Answer:
        return _file_answer(DATA / "web-videos" / Path(name).name)

    def _playlist_file(self, request: Request, video: str, name: str) -> Answer:
        return _file_answer(DATA / "streaming-playlists" / "hls" / Path(video).name / Path(name).name)

    def _nodeinfo_link(self, request: Request) -> Answer:
        href = f"{self._settings.url}/nodeinfo/2.0.json"
        return json_answer({"links": [{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": href}]})

    def _nodeinfo(self, request: Request) -> Answer:
        total = self._store.ask('select count(*) as number from "user"')[0]["number"]
        return json_answer(
            {
                "version": "2.0",
                "software": {"name": "peertube", "version": VERSION},
                "protocols": ["activitypub"],
                "services": {"inbound": [], "outbound": ["atom1.0", "rss2.0"]},
                "openRegistrations": self._settings.signup.enabled,
                "usage": {"users": {"total": total}},
                "metadata": {"nodeName": self._settings.name},
            }
        )

    def _webfinger(self, request: Request) -> Answer:
        resource = request.query.get("resource", "")
        name, _, host = resource.removeprefix("acct:").partition("@")
        known = name == ITSELF or self._store.ask('select id from "user" where username = %s', name)
        if host != self._settings.host or not known:
            return json_answer({}, 404)
        href = f"{self._settings.url}/accounts/{name}"
        links = [{"rel": "self", "type": "application/activity+json", "href": href}]
        return json_answer({"subject": resource, "links": links}, kind="application/jrd+json")


def _file_answer(file: Path) -> Answer:
    return Answer(200, file.read_bytes(), "video/mp4") if file.is_file() else plain("Not Found", 404)


_PROGRAMS: dict[str, Callable[[list[str]], int]] = {"entrypoint": _enter, "node": _run_node}


if __name__ == "__main__":
    run_program(main)
