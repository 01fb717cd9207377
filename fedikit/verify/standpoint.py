"""Standpoints: HTTP requests that are sent from where a host stands, for servers that answer nobody else.

The host's own Python sends them, as its programs would: by its names, its routes and its trust, and also where SSH
forwards nothing. What is sent is signed before; no secret travels.
"""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Base64Bytes, Field, TypeAdapter, ValidationError

from fedikit.model.host import Connection, DirectoryHost, Local, Ssh
from fedikit.model.value import Value
from fedikit.verify.words import Unmet

if TYPE_CHECKING:
    import paramiko

_COMMAND = "python3 -I -"
_STARTING_SECONDS = 0.5
"""What a host's Python may take besides the request itself."""
_MOST_BYTES = 2**20


@dataclass(frozen=True)
class Request:
    """A request, signed where it has to be."""

    address: str
    verb: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


class Answer(Value):
    """What a server said; of the body only what comes first."""

    status: Annotated[int, Field(ge=100, le=599)]
    body: Base64Bytes


class Failure(Value):
    """Why no server said anything."""

    failed: Annotated[str, Field(pattern=r"^[ -~]{1,200}$")]


Send = Callable[[Request, float], Answer]
"""The answer to a request within so many seconds. Raises Unmet if there is none."""
_REPLY: TypeAdapter[Answer | Failure] = TypeAdapter(Answer | Failure)


@contextmanager
def stand_at(host: str, connection: Connection) -> Iterator[Send]:
    """Sends requests from a host as long as it is entered. Raises HostError where it cannot be reached."""
    match connection:
        case Local() | DirectoryHost():
            yield lambda request, seconds: _send_from_here(host, request, seconds)
        case Ssh():
            from fedikit.remote.connection import connect  # slow to import

            with connect(host, connection) as line:
                yield lambda request, seconds: _send_from(host, line.transport, request, seconds)


def _send_from_here(host: str, request: Request, seconds: float) -> Answer:
    from fedikit.verify.errand import carry_out  # brings http.client, which is slow to import

    return _answer_in(json.dumps(carry_out(_order(request, seconds))), request, host)


def _send_from(host: str, transport: "paramiko.Transport", request: Request, seconds: float) -> Answer:
    from fedikit.verify.errand import MARK

    printed = _printed(host, transport, _program(request, seconds), seconds + _STARTING_SECONDS)
    _, mark, said = printed.rpartition(MARK)
    if not mark:
        raise Unmet(wanted=f"an answer from {request.address} to {host}", seen=f"nothing from its {_COMMAND}")
    return _answer_in(said, request, host)


def _order(request: Request, seconds: float) -> dict[str, Any]:
    return {**vars(request), "body": b64encode(request.body).decode(), "seconds": seconds}


def _program(request: Request, seconds: float) -> bytes:
    source = files("fedikit.verify").joinpath("errand.py").read_text()
    return f"{source}\n\nmain({json.dumps(_order(request, seconds))!r})\n".encode()


def _printed(host: str, transport: "paramiko.Transport", program: bytes, seconds: float) -> str:
    """What a host's Python prints when it is given a program, or as much of it as comes in time."""
    import paramiko

    ends, printed = time.monotonic() + seconds, b""
    try:
        with transport.open_session(timeout=seconds) as channel:
            channel.settimeout(seconds)
            channel.exec_command(_COMMAND)
            channel.sendall(program)
            channel.shutdown_write()
            while len(printed) < _MOST_BYTES and (left := ends - time.monotonic()) > 0:
                channel.settimeout(left)
                if not (piece := channel.recv(65536)):
                    break
                printed += piece
    except (OSError, EOFError, paramiko.SSHException) as error:
        reason = "none in time" if isinstance(error, TimeoutError) else "the connection broke"
        raise Unmet(wanted=f"an answer of {host}", seen=reason) from error
    return printed.decode(errors="replace")


def _answer_in(said: str, request: Request, host: str) -> Answer:
    """Nothing is believed of a host that has not the form of an answer."""
    try:
        reply = _REPLY.validate_json(said)
    except ValidationError:
        reply = Failure(failed="something else than an answer")
    if isinstance(reply, Failure):
        raise Unmet(wanted=f"an answer from {request.address} to {host}", seen=reply.failed)
    return reply
