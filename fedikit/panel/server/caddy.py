"""HTTPS in front of the server: Debian's Caddy, as a child, with a configuration of ours and nobody else's."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedikit.errors import FedikitError
from fedikit.panel.server.files import private_folder, write_privately

SOCKET = "panel.sock"
_CLAIMS = ("Forwarded", "X-Forwarded-*", "X-Real-Ip", "X-Scheme", "Remote-*", "X-Remote-*", "X-Auth-*", "X-Webauth-*")
"""What visitors could say of themselves, and only a proxy may."""
_END_SECONDS = 5


@dataclass(frozen=True)
class Caddy:
    """HTTPS for a name: a certificate by ACME, from Let's Encrypt or from `acme_directory`, or by Caddy itself."""

    domain: str
    acme_directory: str = ""
    acme_root: Path | None = None
    is_internal: bool = False
    """Whether Caddy's own authority signs, which no browser trusts: for trying."""
    http_port: int = 80
    https_port: int = 443

    def start(self, folder: Path, state: Path) -> "RunningCaddy":
        """Starts it; certificates are kept in the state folder. Raises FedikitError if there is none."""
        program = shutil.which("caddy")
        if program is None:
            raise FedikitError("there is no caddy on this machine, which --domain needs", hint="apt-get install caddy")
        file = folder / "caddy.json"
        kept = private_folder(state / "caddy")
        write_privately(file, json.dumps(self.configuration(folder / SOCKET, kept), indent=1).encode())
        environment = {"HOME": str(kept), "XDG_DATA_HOME": str(kept), "XDG_CONFIG_HOME": str(kept), "PATH": os.defpath}
        bound = ["setpriv", "--pdeathsig", "TERM"]  # a panel that is killed leaves nobody at its ports
        return RunningCaddy(subprocess.Popen([*bound, program, "run", "--config", str(file)], env=environment))

    def configuration(self, socket: Path, kept: Path) -> dict[str, Any]:
        """Caddy's configuration: one name, to one socket."""
        server = {
            "listen": [f":{self.https_port}"],
            "routes": [{"match": [{"host": [self.domain]}], "handle": self._handlers(socket), "terminal": True}],
        }
        return {
            "admin": {"disabled": True, "config": {"persist": False}},
            "storage": {"module": "file_system", "root": str(kept)},
            "apps": {
                "http": {"http_port": self.http_port, "https_port": self.https_port, "servers": {"panel": server}},
                "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
                "tls": {"automation": {"policies": [{"subjects": [self.domain], "issuers": [self._issuer()]}]}},
            },
        }

    def _handlers(self, socket: Path) -> list[dict[str, Any]]:
        return [
            {"handler": "headers", "request": {"delete": list(_CLAIMS)}},
            {
                "handler": "subroute",
                "routes": [
                    {"match": [{"path": ["/static/*"]}], "handle": [{"handler": "encode", "encodings": {"gzip": {}}}]}
                ],
            },
            {"handler": "reverse_proxy", "upstreams": [{"dial": f"unix/{socket}"}]},
        ]

    def _issuer(self) -> dict[str, Any]:
        if self.is_internal:
            return {"module": "internal"}
        issuer: dict[str, Any] = {"module": "acme"}
        if self.acme_directory:
            issuer["ca"] = self.acme_directory
        if self.acme_root:
            issuer["trusted_roots_pem_files"] = [str(self.acme_root)]
        return issuer


@dataclass(frozen=True)
class RunningCaddy:
    """A Caddy that runs."""

    process: "subprocess.Popen[bytes]"

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
