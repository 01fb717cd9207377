"""The contract image of Mastodon's streaming server: `node ./streaming/index.js`."""

from typing import Any

from .mastodon_database import Database
from .mastodon_queue import open_redis
from .mastodon_settings import load_listening, load_servers
from .shared import Answer, Application, Environment, Refused, Request, json_answer, plain, run_program, serve

IMAGE: dict[str, Any] = {
    "user": "991:991",
    "workdir": "/opt/mastodon",
    "env": {"NODE_ENV": "production", "BIND": "0.0.0.0", "PORT": "4000"},  # noqa: S104 (as upstream's image)
    "entrypoint": ["/usr/bin/tini", "--"],
    "cmd": ["node", "./streaming/index.js"],
    "packages": ["python3", "python3-psycopg2", "python3-redis", "tini", "ca-certificates"],
}
COMMANDS: dict[str, tuple[str, ...]] = {"/usr/local/bin/node": ("node",)}
FILES: dict[str, str] = {}


def main(arguments: list[str]) -> int:
    """Serves until it is told to stop; PostgreSQL and Redis must be there at the start."""
    if len(arguments) != 2 or arguments[0] != "node" or arguments[1].removeprefix("./") != "streaming/index.js":
        raise Refused(f"Cannot find module: {' '.join(arguments[1:])}")
    environment = Environment()
    servers, listening = load_servers(environment), load_listening(environment, 4000)
    Database(servers.database).value("SELECT 1")
    client = open_redis(servers)
    routes = {
        ("GET", "/api/v1/streaming/health"): lambda request: plain("OK"),
        ("GET", "/metrics"): lambda request: plain(f"redis_connected {int(client.ping())}\n"),
        ("GET", "/api/v1/streaming"): _refuse,
        ("GET", "/api/v1/streaming/{stream...}"): _refuse,
    }
    return serve(Application(routes), listening.address, listening.port)


def _refuse(request: Request, stream: str = "") -> Answer:
    return json_answer({"error": "Missing access token"}, 401)


if __name__ == "__main__":
    run_program(main)
