"""The contract image of Pixelfed: the commands that its image brings, and what `php artisan` does of upstream's.

Started as `python3 -m contract.pixelfed PROGRAM ARGUMENTS…`, where the program is one of those that COMMANDS lays out.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from .pixelfed_queue import Queue, is_scheduling, run_horizon, run_schedule
from .pixelfed_settings import Settings, read_listener, read_settings
from .pixelfed_store import Store, new_key_pair
from .pixelfed_web import run_web
from .shared import Environment, Refused, run_program

IMAGE: dict[str, Any] = {
    "user": "33:33",
    "workdir": "/var/www/html",
    "env": {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SSL_MODE": "off",
        "AUTORUN_ENABLED": "false",
    },
    "entrypoint": ["docker-php-serversideup-entrypoint"],
    "cmd": ["frankenphp", "run", "--config", "/etc/frankenphp/Caddyfile", "--adapter", "caddyfile"],
    "packages": ["python3", "python3-pymysql", "python3-redis", "libcrypt1", "php-cli", "php-mysql", "ca-certificates"],
    "owned": ["/var/www/html", "/var/www/html/public", "/var/www/html/storage"],
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "/usr/local/bin/docker-php-serversideup-entrypoint": ("entrypoint",),
    "/usr/local/bin/frankenphp": ("frankenphp",),
    "/usr/local/bin/healthcheck-schedule": ("healthcheck-schedule",),
    "/usr/local/bin/php": ("php",),
}
FILES: dict[str, str] = {
    "/var/www/html/bootstrap/app.php": "pixelfed_app.php",
    "/var/www/html/vendor/autoload.php": "pixelfed_autoload.php",
}
_PHP = "/usr/bin/php"
_DATABASE_SECONDS = 30
_KEYS = ("storage/oauth-private.key", "storage/oauth-public.key")
_Options = dict[str, str]


def main(arguments: list[str]) -> int:
    """Runs one program of the image."""
    program, *rest = arguments
    return _PROGRAMS[program](rest)


def _enter(command: list[str]) -> int:
    """The entrypoint: with AUTORUN_ENABLED=true it prepares the instance first, then becomes the command."""
    environment = Environment()
    if environment.flag("AUTORUN_ENABLED"):
        _prepare(read_settings(environment), environment)
    return _become(command)


def _prepare(settings: Settings, environment: Environment) -> None:
    """What is not switched off by a variable of its own."""
    if environment.flag("AUTORUN_LARAVEL_STORAGE_LINK", True):
        _link_storage(settings, {})
    if environment.flag("AUTORUN_LARAVEL_MIGRATION", True):
        _await_database(Store(settings))
        _migrate(settings, {"force": ""})


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
    environment = Environment()
    return run_web(read_settings(environment), read_listener(environment))


def _check_schedule(arguments: list[str]) -> int:
    return 0 if is_scheduling() else 1


def _php(arguments: list[str]) -> int:
    if arguments[:1] == ["artisan"]:
        return _artisan(arguments[1:])
    return _become([_PHP, *arguments])


def _become(command: list[str]) -> NoReturn:
    try:
        os.execvp(command[0], command)  # noqa: S606 - an argument list, no shell
    except OSError as error:
        raise Refused(f"{command[0]} cannot be started: {error.strerror}") from error


def _artisan(arguments: Sequence[str]) -> int:
    """One console command; an unknown one is an error, as upstream's."""
    name = arguments[0] if arguments else "list"
    if name not in _ARTISAN:
        print(f'Command "{name}" is not defined.', file=sys.stderr)
        return 1
    words = [argument.removeprefix("--").partition("=") for argument in arguments[1:]]
    return _ARTISAN[name](read_settings(Environment()), {option: value for option, _, value in words})


def _link_storage(settings: Settings, options: _Options) -> int:
    link, target = Path("public/storage"), Path("storage/app/public").absolute()
    target.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        print("The [public/storage] link already exists.")
        return 0
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target)
    print("The [public/storage] link has been connected to [storage/app/public].")
    return 0


def _migrate(settings: Settings, options: _Options) -> int:
    if settings.is_production and "force" not in options:
        print("APPLICATION IN PRODUCTION. Command cancelled.", file=sys.stderr)
        return 1
    done = Store(settings).migrate()
    print("\n".join(f"{name} DONE" for name in done) or "Nothing to migrate.")
    return 0


def _make_instance_actor(settings: Settings, options: _Options) -> int:
    store = Store(settings)
    if store.ask("select id from instance_actors"):
        print("Instance actor already exists.")
        return 0
    store.ask("insert into instance_actors (private_key, public_key) values (%s, %s)", *new_key_pair(2048))
    print("Instance actor succesfully generated. You do not need to run this command again.")
    return 0


def _make_passport_keys(settings: Settings, options: _Options) -> int:
    files = [Path(name) for name in _KEYS]
    if any(file.exists() for file in files) and "force" not in options:
        print("Encryption keys already exist. Use the --force option to overwrite them.", file=sys.stderr)
        return 1
    for file, text in zip(files, new_key_pair(4096), strict=True):
        file.touch(mode=0o600)
        file.write_text(text)
    print("Encryption keys generated successfully.")
    return 0


def _create_user(settings: Settings, options: _Options) -> int:
    """Upstream asks for what is missing; with nobody to ask, that is the end."""
    print("Creating a new user...")
    given = [options.get(name, "") for name in ("name", "username", "email", "password")]
    if not all(given):
        print("Aborted.", file=sys.stderr)
        return 1
    admin, confirmed = options.get("is_admin") == "true", bool(options.get("confirm_email"))
    Store(settings).create_user(given[0], given[1], given[2], given[3], admin=admin, confirmed=confirmed)
    print("Created new user!")
    return 0


def _horizon_status(settings: Settings, options: _Options) -> int:
    queue = Queue(settings)
    queue.demand()
    running = queue.has_master()
    print("Horizon is running." if running else "Horizon is inactive.")
    return 0 if running else 2


_PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "entrypoint": _enter,
    "frankenphp": _serve,
    "healthcheck-schedule": _check_schedule,
    "php": _php,
}
_ARTISAN: dict[str, Callable[[Settings, _Options], int]] = {
    "horizon": lambda settings, _: run_horizon(settings),
    "horizon:status": _horizon_status,
    "instance:actor": _make_instance_actor,
    "migrate": _migrate,
    "passport:keys": _make_passport_keys,
    "schedule:work": lambda settings, _: run_schedule(settings),
    "storage:link": _link_storage,
    "user:create": _create_user,
}


if __name__ == "__main__":
    run_program(main)
