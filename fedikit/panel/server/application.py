"""The closed list of what is answered at all."""

from typing import Any

from jupyter_server.auth import AllowAllAuthorizer
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.web import Application

from fedikit.panel.server.assets import OPEN, Asset, OpenAsset
from fedikit.panel.server.channels import LARGEST_BYTES, Channels, KernelEnd, KernelModel
from fedikit.panel.server.door import Door
from fedikit.panel.server.guard import Nothing
from fedikit.panel.server.kernels import Kernels
from fedikit.panel.server.notebook import PanelNotebook
from fedikit.panel.server.pages import ASSETS
from fedikit.panel.server.panel import PanelPage
from fedikit.panel.server.premises import Premises
from fedikit.panel.server.records import RecordPage
from fedikit.panel.server.signing import SignIn, SignOut

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_KERNEL = r"/api/kernels/(?P<kernel_id>[0-9a-f-]{36})"

ROUTES: list[tuple[str, type]] = [
    (r"/", PanelPage),
    (r"/login", SignIn),
    (r"/logout", SignOut),
    (r"/records/([^/]+)", RecordPage),
    (_KERNEL, KernelModel),
    (rf"{_KERNEL}/end", KernelEnd),
    (rf"{_KERNEL}/channels", Channels),
    (rf"{ASSETS}/({'|'.join(OPEN)})", OpenAsset),
    (rf"{ASSETS}/(.+)", Asset),
]


def make_application(premises: Premises, kernels: Kernels, notebook: PanelNotebook, *, domain: str) -> Application:
    """What answers; `domain` is the name that visitors come to by HTTPS, empty for this machine's own users."""
    settings: dict[str, Any] = {
        "premises": premises,
        "door": Door(premises),
        "kernels": kernels,
        "kernel_manager": kernels.manager,
        "notebook": notebook,
        "names": {domain} if domain else set(LOCAL_NAMES),
        "is_secure": bool(domain),
        "cookie_secret": premises.cookie_secret,
        "xsrf_cookies": True,
        "xsrf_cookie_name": "__Host-_xsrf" if domain else "fedikit-_xsrf",
        "xsrf_cookie_kwargs": {"samesite": "Strict", "secure": bool(domain)},
        "default_handler_class": Nothing,
        "authorizer": AllowAllAuthorizer(),
        "kernel_websocket_connection_class": ZMQChannelsWebsocketConnection,
        "websocket_max_message_size": LARGEST_BYTES,
        "base_url": "/",
    }
    return Application(ROUTES, **settings)
