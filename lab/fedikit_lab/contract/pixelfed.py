"""The contract image of Pixelfed: the commands that its image brings, and what its entrypoint prepares.

Started as `python3 -m contract.pixelfed PROGRAM ARGUMENTS…`, where the program is one of those that COMMANDS lays out.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from .pixelfed_artisan import artisan
from .pixelfed_queue import is_scheduling
from .pixelfed_settings import Settings, Variables, read_listener, read_settings
from .pixelfed_store import Store
from .pixelfed_web import run_web
from .shared import Refused, run_program

_HOME = "/var/www/html"
_STORAGE = f"{_HOME}/storage"
IMAGE: dict[str, Any] = {
    "user": "33:33",
    "workdir": _HOME,
    "env": {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SSL_MODE": "off",
        "AUTORUN_ENABLED": "false",
    },
    "entrypoint": ["docker-php-serversideup-entrypoint"],
    "cmd": ["frankenphp", "run", "--config", "/etc/frankenphp/Caddyfile", "--adapter", "caddyfile"],
    "packages": ["python3", "python3-pymysql", "python3-redis", "libcrypt1", "php-cli", "php-mysql", "ca-certificates"],
    "owned": [
        *(f"{_HOME}{place}" for place in ("", "/bootstrap/cache", "/public")),
        *(f"{_STORAGE}{place}" for place in ("", "/app/public/m", "/framework/cache/data", "/framework/sessions")),
        *(f"{_STORAGE}{place}" for place in ("/framework/views", "/logs")),
    ],
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "/usr/local/bin/docker-php-serversideup-entrypoint": ("entrypoint",),
    "/usr/local/bin/frankenphp": ("frankenphp",),
    "/usr/local/bin/healthcheck-schedule": ("healthcheck-schedule",),
    "/usr/local/bin/php": ("php",),
}
FILES: dict[str, str] = {
    f"{_HOME}/bootstrap/app.php": "pixelfed_app.php",
    f"{_HOME}/vendor/autoload.php": "pixelfed_autoload.php",
    f"{_HOME}/vendor/models.php": "pixelfed_models.php",
    f"{_HOME}/vendor/variables.txt": "pixelfed_variables.txt",
    f"{_STORAGE}/app/cities.json": "pixelfed_cities.json",
    f"{_STORAGE}/app/public/avatars/default.jpg": "pixelfed_avatar.svg",
}
_PHP = "/usr/bin/php"
_DATABASE_SECONDS = 30
# Lets a program in PHP call a console command of this one
_LAUNCH = "import runpy, sys; sys.path.insert(0, {place!r}); runpy.run_module('contract.pixelfed', run_name='__main__')"


def main(arguments: list[str]) -> int:
    """Runs one program of the image."""
    program, *rest = arguments
    return _PROGRAMS[program](rest)


def _enter(command: list[str]) -> int:
    """The entrypoint: with AUTORUN_ENABLED=true it prepares the instance first, then becomes the command."""
    given = Variables()
    if given.flag("AUTORUN_ENABLED"):
        _prepare(read_settings(given), given)
    return _become(command)


def _prepare(settings: Settings, given: Variables) -> None:
    """What is not switched off by a variable of its own. A step that fails is the end."""
    if given.flag("AUTORUN_LARAVEL_STORAGE_LINK", True):
        _demand(["storage:link"])
    if given.flag("AUTORUN_LARAVEL_MIGRATION", True):
        _await_database(Store(settings))
        _demand(["migrate", "--force"])
    if given.flag("AUTORUN_LARAVEL_OPTIMIZE", True):
        _demand(["optimize"])


def _demand(command: list[str]) -> None:
    status = artisan(command)
    if status:
        raise Refused(f"Initialization script 50-laravel-automations.sh failed with exit code {status}")


def _await_database(store: Store) -> None:
    deadline = time.monotonic() + _DATABASE_SECONDS
    while True:
        try:
            store.ask("select 1")
            return
        except Refused:
            if time.monotonic() > deadline:
                raise
        time.sleep(1)


def _serve(arguments: list[str]) -> int:
    given = Variables()
    return run_web(read_settings(given), read_listener(given))


def _check_schedule(arguments: list[str]) -> int:
    return 0 if is_scheduling() else 1


def _php(arguments: list[str]) -> int:
    if arguments[:1] == ["artisan"]:
        return artisan(arguments[1:])
    read_settings(Variables())
    launch = _LAUNCH.format(place=str(Path(__file__).parent.parent))
    os.environ["CONTRACT_ARTISAN"] = json.dumps([sys.executable, "-I", "-B", "-c", launch, "php", "artisan"])
    return _become([_PHP, *arguments])


def _become(command: list[str]) -> NoReturn:
    try:
        os.execvp(command[0], command)  # noqa: S606 - an argument list, no shell
    except OSError as error:
        raise Refused(f"{command[0]} cannot be started: {error.strerror}") from error


_PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "entrypoint": _enter,
    "frankenphp": _serve,
    "healthcheck-schedule": _check_schedule,
    "php": _php,
}


if __name__ == "__main__":
    run_program(main)
