"""The panel behind a real Caddy, with certificates of its own authority."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket

from fedikit.errors import FedikitError
from fedikit.panel.server.caddy import Caddy
from tests.panel.serving import PASSWORD, PROTOCOL, begin, free_port, wait_for, write_notebook, write_panel

NAME = "panel.example.org"


@dataclass
class Site:
    folder: Path
    port: int
    trust: ssl.SSLContext

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Host": f"{NAME}:{self.port}", **options.pop("headers", {})}
        with httpx.Client(verify=self.trust, timeout=30) as client:
            url = f"https://127.0.0.1:{self.port}{path}"
            return client.request(method, url, headers=headers, extensions={"sni_hostname": NAME}, **options)

    def sign_in(self, **headers: str) -> httpx.Response:
        token = self.ask("GET", "/login").cookies["__Host-_xsrf"]
        form = {"_xsrf": token, "name": "alice", "password": PASSWORD}
        origin = {"Origin": f"https://{NAME}:{self.port}"}
        return self.ask("POST", "/login", data=form, headers={"Cookie": f"__Host-_xsrf={token}", **origin, **headers})


@pytest.fixture(scope="module")
def caddy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian's Caddy, as installed, or unpacked from its package."""
    if shutil.which("caddy"):
        return ""
    folder = tmp_path_factory.mktemp("caddy")
    if subprocess.run(["apt-get", "download", "caddy"], cwd=folder, capture_output=True).returncode:
        pytest.skip("needs caddy, or apt-get to fetch it")
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg", "-x", package, folder], check=True)
    return str(folder / "usr/bin")


@pytest.fixture(scope="module")
def site(caddy: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("panel")
    write_panel(folder)
    write_notebook(folder)
    http, https = free_port(), free_port()
    options = (f"--domain={NAME}", "--tls-internal", f"--http-port={http}", f"--https-port={https}")
    server = begin(folder, free_port(), *options, path=caddy)
    root = folder / "panel/caddy/pki/authorities/local/root.crt"
    try:
        wait_for(root.exists, f"the authority: {(folder / 'server.log').read_text()}")
        site = Site(folder, https, ssl.create_default_context(cafile=str(root)))
        wait_for(lambda: is_there(site), "the site")
        yield site
    finally:
        server.terminate()
        server.wait(30)


def is_there(site: Site) -> bool:
    try:
        return site.ask("GET", "/login").status_code == 200
    except httpx.TransportError:
        return False


def test_cookies_go_over_https_only(site: Site) -> None:
    answer = site.sign_in()
    assert answer.status_code == 302
    for cookie in answer.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-")
        assert {"Secure", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
    assert "max-age" in answer.headers["strict-transport-security"]


def test_what_visitors_say_of_themselves_is_not_believed(site: Site) -> None:
    claims = {
        "X-Forwarded-For": "192.0.2.7",
        "X-Real-Ip": "192.0.2.7",
        "Forwarded": "for=192.0.2.7",
        "Remote-User": "bob",
    }
    assert site.sign_in(**claims).status_code == 302
    log = (site.folder / "server.log").read_text()
    assert "signed in: alice from 127.0.0.1" in log
    assert "192.0.2.7" not in log


def test_other_names_are_not_served(site: Site) -> None:
    assert b"<form" not in site.ask("GET", "/login", headers={"Host": "evil.example"}).content


def test_widgets_messages_come_through(site: Site) -> None:
    session = "; ".join(f"{name}={value}" for name, value in site.sign_in().cookies.items())
    page = site.ask("GET", "/", headers={"Cookie": session}).text
    kernel = page.split('data-kernel="')[1].split('"')[0]
    assert "alice en" in page
    connection = websocket.create_connection(
        f"wss://{NAME}:{site.port}/api/kernels/{kernel}/channels", timeout=30, cookie=session, subprotocols=[PROTOCOL],
        origin=f"https://{NAME}:{site.port}", sslopt={"context": site.trust},
        socket=site.trust.wrap_socket(plain_socket(site.port), server_hostname=NAME),
    )  # fmt: skip
    assert connection.connected
    connection.close()


def plain_socket(port: int) -> Any:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def test_a_panel_that_is_killed_leaves_nobody_at_its_ports(caddy: str, tmp_path: Path) -> None:
    write_panel(tmp_path)
    write_notebook(tmp_path)
    https = free_port()
    options = (f"--domain={NAME}", "--tls-internal", f"--http-port={free_port()}", f"--https-port={https}")
    server = begin(tmp_path, free_port(), *options, path=caddy)
    wait_for(lambda: is_listening(https), "caddy")
    server.kill()
    server.wait()
    wait_for(lambda: not is_listening(https), "caddy's end")


def is_listening(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def test_without_caddy_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FedikitError, match="apt-get install caddy"):
        Caddy(NAME).start(tmp_path, tmp_path)
