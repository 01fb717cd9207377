"""Knocking at this host's own web server, as a visitor who posts something."""

import socket
import ssl
from http.client import HTTPException, HTTPResponse

from .trouble import Trouble

WEB = ("127.0.0.1", 443)
"""Where it answers, for all sites."""
MARK = "Fedikit-Closed"
"""What an answer of a closed door bears."""
SECONDS = 20
_POST = "POST / HTTP/1.1\r\nHost: {site}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def is_refused(site: str) -> bool:
    """Whether a site refuses what is posted, as closed, or nobody answers; raises Trouble if it cannot be told."""
    try:
        with socket.create_connection(WEB, SECONDS) as plain, _encrypted(plain, site) as connection:
            connection.sendall(_POST.format(site=site).encode())
            answer = HTTPResponse(connection, method="POST")
            answer.begin()
            return answer.status == 503 and answer.getheader(MARK) == "yes"
    except ConnectionRefusedError:
        return True
    except (OSError, HTTPException) as error:
        raise Trouble(
            f"{site} cannot be asked whether it is closed: {error}", hint="journalctl --unit=caddy"
        ) from error


def _encrypted(plain: socket.socket, site: str) -> ssl.SSLSocket:
    """Whatever certificate it shows: it is this host, and is told no secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=site)
