"""The contract image of Mastodon's streaming server: `node ./streaming/index.js`.

It is healthy without its servers, as upstream's is: they are asked when somebody signs in.
"""

import os
from collections.abc import Callable
from typing import Any

from .mastodon_database import Database
from .mastodon_servers import load_listening, load_streaming_servers
from .mastodon_settings import refuse_strangers
from .shared import Answer, Application, Environment, Refused, Request, json_answer, plain, run_program, serve

IMAGE: dict[str, Any] = {
    "user": "991:991",
    "workdir": "/opt/mastodon",
    "env": {"NODE_ENV": "production", "BIND": "0.0.0.0", "PORT": "4000"},  # noqa: S104 (as upstream's image)
    "entrypoint": [],
    "cmd": ["node", "./streaming/index.js"],
    "packages": ["python3", "python3-psycopg2", "python3-redis", "ca-certificates"],
}
COMMANDS: dict[str, tuple[str, ...]] = {"/usr/local/bin/node": ("node",)}
FILES: dict[str, str] = {"/opt/mastodon/config/variables.txt": "mastodon_variables.txt"}
_CHANNELS = frozenset(
    "user user/notification public public/local public/remote hashtag hashtag/local direct list".split()
)
_WHO = """SELECT 1 FROM session_activations JOIN users ON users.id = user_id
          WHERE access_token = %s AND NOT disabled"""


def main(arguments: list[str]) -> int:
    """Serves until it is told to stop."""
    if len(arguments) != 2 or arguments[0] != "node" or arguments[1].removeprefix("./") != "streaming/index.js":
        raise Refused(f"Cannot find module: {' '.join(arguments[1:])}")
    refuse_strangers(os.environ)
    environment = Environment()
    database = Database(load_streaming_servers(environment).database)
    listening = load_listening(environment, 4000)
    routes: dict[tuple[str, str], Callable[..., Answer]] = {
        ("GET", "/api/v1/streaming/health"): lambda request: plain("OK"),
        ("GET", "/metrics"): lambda request: plain("process_cpu_user_seconds_total 0\n"),
        ("GET", "/api/v1/streaming"): lambda request: _refuse("Unknown channel requested", 400),
        ("GET", "/api/v1/streaming/{channel...}"): lambda request, channel: _stream(database, request, channel),
    }
    return serve(Application(routes), listening.address, listening.port)


def _stream(database: Database, request: Request, channel: str) -> Answer:
    """The beginning of a stream for who has a token; it ends at once, for nothing happens here."""
    if channel not in _CHANNELS:
        return _refuse("Unknown channel requested", 400)
    token = request.header("Authorization").removeprefix("Bearer ") or request.query.get("access_token", "")
    if not token:
        return _refuse("Missing access token", 401)
    try:
        is_known = database.value(_WHO, token)
    except Refused as refusal:
        print(refusal, flush=True)
        return _refuse("An unexpected error occurred", 500)
    return Answer(200, b":)\n", "text/event-stream") if is_known else _refuse("Invalid access token", 401)


def _refuse(words: str, status: int) -> Answer:
    return json_answer({"error": words}, status)


if __name__ == "__main__":
    run_program(main)
