"""The REST API of PeerTube's stand-in, for its own pages and for administrators' programs, and files behind it."""

from .peertube_doors import Doors, Routes
from .peertube_entry import Entry
from .peertube_exports import Exports
from .peertube_log import Log
from .peertube_proxy import Proxy
from .peertube_settings import Settings
from .peertube_store import Store
from .peertube_uploads import Uploads
from .peertube_users import Users
from .peertube_videos import Videos
from .shared import Answer, Request, json_answer, plain
from .version import VERSION


class Api:
    """What is answered under /api/v1, and under /object-storage-proxy."""

    def __init__(self, settings: Settings, store: Store, videos: Videos, log: Log) -> None:
        self._settings = settings
        self._doors = Doors(store)
        self._entry = Entry(settings, store, self._doors)
        self._users = Users(settings, store, self._doors)
        self._exports = Exports(settings, store, self._doors, log)
        self._uploads = Uploads(settings, store, videos, self._doors)
        self._proxy = Proxy(settings, videos, self._doors)

    def routes(self) -> Routes:
        """The addresses that are answered; those of the API but ping count against the visitor's rate."""
        config: Routes = {("GET", "/api/v1/config"): self._config}
        parts = (self._entry, self._exports, self._users, self._uploads)
        limited = {route: handler for part in parts for route, handler in part.routes().items()}
        unlimited: Routes = {("GET", "/api/v1/ping"): lambda _: plain("pong"), **self._proxy.routes()}
        return {**unlimited, **self._doors.limited({**config, **limited})}

    def _config(self, request: Request) -> Answer:
        signup = self._settings.signup
        return json_answer(
            {
                "instance": {
                    "name": self._settings.name,
                    "shortDescription": self._settings.short_description,
                },
                "serverVersion": VERSION,
                "signup": {
                    "allowed": self._entry.is_open(),
                    "requiresApproval": signup.requires_approval,
                    "requiresEmailVerification": signup.requires_email_verification,
                },
                "export": {"users": {"enabled": self._settings.exports}},
                "live": {"enabled": self._settings.rtmp_port is not None},
                "transcoding": {"remoteRunners": {"enabled": self._settings.transcodes_elsewhere}},
            }
        )
