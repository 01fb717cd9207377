"""One HTTP request, carried out where this runs: here or, with this file's text as the program, by a host's Python.

Standard library only, and nothing of ours: a host gets this file and no other.
"""

import http.client
import json
import time
from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import urlsplit

MARK = "fedikit answers: "
MOST_BYTES = 65536


def carry_out(order: dict[str, Any]) -> dict[str, Any]:
    """Sends what an order says; returns the answer's status and what comes first of its body, or what went wrong."""
    try:
        return _exchange(order)
    except TimeoutError:
        return {"failed": "no answer in time"}
    except (OSError, http.client.HTTPException, ValueError) as error:
        words = str(getattr(error, "strerror", None) or type(error).__name__)
        return {"failed": words.encode("ascii", "replace").decode()[:200].lower()}


def _exchange(order: dict[str, Any]) -> dict[str, Any]:
    place, ends = urlsplit(order["address"]), time.monotonic() + order["seconds"]
    secure = place.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(place.hostname or "", place.port, timeout=order["seconds"])
    try:
        connection.request(order["verb"], order["path"], b64decode(order["body"]) or None, order["headers"])
        answer, body = connection.getresponse(), b""
        while len(body) < MOST_BYTES and time.monotonic() < ends and (piece := answer.read1(MOST_BYTES)):
            body += piece
        return {"status": answer.status, "body": b64encode(body[:MOST_BYTES]).decode()}
    finally:
        connection.close()


def main(order: str) -> None:
    """Carries out an order in JSON; prints the answer behind a mark, for a login's start files print what they like."""
    print(MARK + json.dumps(carry_out(json.loads(order))), flush=True)
