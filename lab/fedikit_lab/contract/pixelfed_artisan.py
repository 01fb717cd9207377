"""What `php artisan` does in Pixelfed's stand-in, with upstream's words and exit codes."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .pixelfed_queue import Queue, run_horizon, run_schedule
from .pixelfed_settings import Settings, Variables, read_settings
from .pixelfed_store import Store, new_key_pair

VIEWS = Path("storage/framework/views")
_CACHES = Path("bootstrap/cache")
_CITIES = Path("storage/app/cities.json")
_KEYS = ("storage/oauth-private.key", "storage/oauth-public.key")
_Options = dict[str, str]


def artisan(arguments: Sequence[str]) -> int:
    """One console command; an unknown one is an error, as upstream's."""
    name = arguments[0] if arguments else "list"
    if name not in _COMMANDS:
        print(f'Command "{name}" is not defined.', file=sys.stderr)
        return 1
    words = [argument.removeprefix("--").partition("=") for argument in arguments[1:]]
    return _COMMANDS[name](read_settings(Variables()), {option: value for option, _, value in words})


def _link_storage(settings: Settings, options: _Options) -> int:
    link, target = Path("public/storage"), Path("storage/app/public").absolute()
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


def _optimize(settings: Settings, options: _Options) -> int:
    """Caches what is configured, and compiles the pages: that takes a place for them, which nothing makes."""
    if not VIEWS.is_dir():
        print("Please provide a valid cache path.", file=sys.stderr)
        return 1
    if not _CACHES.is_dir():
        print(f"The {_CACHES.absolute()} directory must be present and writable.", file=sys.stderr)
        return 1
    (_CACHES / "config.php").write_text("<?php\n")
    (VIEWS / "page.php").write_text("<?php\n")
    print("Caching framework bootstrap, configuration, and metadata.")
    return 0


def _make_instance_actor(settings: Settings, options: _Options) -> int:
    store = Store(settings)
    if not store.ask("select id from instance_actors"):
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


def _make_passport_client(settings: Settings, options: _Options) -> int:
    """Another one each time."""
    kind = "personal_access" if "personal" in options else "authorization_code"
    Store(settings).ask(
        "insert into oauth_clients (name, provider, grant_types) values (%s, %s, %s)",
        *(options.get("name", "Pixelfed"), options.get("provider", "users"), json.dumps([kind])),
    )
    print("New client created successfully.")
    return 0


def _import_cities(settings: Settings, options: _Options) -> int:
    """Deletes all places first, and ends well though there is nothing to import."""
    if not _CITIES.is_file():
        print("Invalid or corrupt storage/app/cities.json data.")
        return 0
    store, cities = Store(settings), json.loads(_CITIES.read_text("utf-8"))
    store.ask("truncate table places")
    for city in cities:
        store.ask("insert into places (name, country) values (%s, %s)", city["name"], city["country"])
    print(f"Successfully imported {len(cities)} entries!")
    return 0


def _create_user(settings: Settings, options: _Options) -> int:
    """Upstream asks for what is missing; with nobody to ask, it complains and ends well. Names are not looked at."""
    print("Creating a new user...")
    given = [options.get(name, "") for name in ("name", "username", "email", "password")]
    if not all(given):
        print("Must be 6 or more characters, please try again...")
        return 0
    admin, confirmed = options.get("is_admin") == "true", options.get("confirm_email", "0") not in ("", "0")
    Store(settings).create_user(given[0], given[1], given[2], given[3], admin=admin, confirmed=confirmed)
    print("Successfully created user!")
    return 0


def _horizon_status(settings: Settings, options: _Options) -> int:
    queue = Queue(settings)
    queue.demand()
    running = queue.has_master()
    print("Horizon is running." if running else "Horizon is inactive.")
    return 0 if running else 2


def _forget(settings: Settings, options: _Options) -> int:
    """Not upstream's: how its cache is reached from PHP."""
    Queue(settings).forget(options["name"])
    return 0


def _clear_cache(settings: Settings, options: _Options) -> int:
    queue = Queue(settings)
    queue.demand()
    queue.clear()
    print("INFO  Application cache cleared successfully.")
    return 0


_COMMANDS: dict[str, Callable[[Settings, _Options], int]] = {
    "cache:clear": _clear_cache,
    "contract:forget": _forget,
    "horizon": lambda settings, _: run_horizon(settings),
    "horizon:status": _horizon_status,
    "import:cities": _import_cities,
    "instance:actor": _make_instance_actor,
    "migrate": _migrate,
    "optimize": _optimize,
    "passport:client": _make_passport_client,
    "passport:keys": _make_passport_keys,
    "schedule:work": lambda settings, _: run_schedule(settings),
    "storage:link": _link_storage,
    "user:create": _create_user,
}
