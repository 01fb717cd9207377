"""The contract image of Mastodon: web, sidekiq and the administration commands, called as upstream's are.

`bundle exec puma`, `bundle exec sidekiq`, `bundle exec rails db:migrate:setup`, `bin/rails runner`, `bin/tootctl`.
"""

import contextlib
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .mastodon_accounts import tootctl
from .mastodon_database import Database, libpq_variables, run_tasks
from .mastodon_queue import Queue, open_redis
from .mastodon_settings import load_settings, refuse_strangers
from .mastodon_upkeep import keep_up
from .mastodon_work import Work
from .shared import BucketError, Environment, Refused, run_program, serve

IMAGE: dict[str, Any] = {
    "user": "991:991",
    "workdir": "/opt/mastodon",
    "env": {
        "BIND": "0.0.0.0",  # noqa: S104 (as upstream's image)
        "NODE_ENV": "production",
        "RAILS_ENV": "production",
        "RAILS_SERVE_STATIC_FILES": "true",
        "RUBY_YJIT_ENABLE": "1",
        "MASTODON_SIDEKIQ_READY_FILENAME": "sidekiq_process_has_started_and_will_begin_processing_jobs",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/mastodon/bin",
    },
    "entrypoint": ["/usr/bin/tini", "--"],
    "cmd": [],
    "packages": [
        "python3",
        "python3-psycopg2",
        "python3-redis",
        "ruby",
        "ruby-pg",
        "ruby-redis",
        "tini",
        "ca-certificates",
    ],
    "owned": ["/opt/mastodon/tmp", "/opt/mastodon/public/system"],
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "/usr/local/bin/bundle": ("bundle",),
    "/opt/mastodon/bin/rails": ("rails",),
    "/opt/mastodon/bin/tootctl": ("tootctl",),
}
FILES: dict[str, str] = {
    "/opt/mastodon/config/variables.txt": "mastodon_variables.txt",
    "/opt/mastodon/db/seed.sql": "mastodon_seed.sql",
    "/opt/mastodon/lib/runner.rb": "mastodon_runner.rb",
    "/opt/mastodon/public/packs/home.js": "mastodon_home.js",
}
_RUNNER = Path("lib/runner.rb")
_SECONDS = 1
# Puma lets the signal that ended it end its process, too.
_ENDED = 143


def main(arguments: list[str]) -> int:
    """Runs one program of upstream's image; every one of them loads the whole application first."""
    refuse_strangers(os.environ)
    match arguments:
        case ["bundle", "exec", program, *rest]:
            return main([Path(program).name, *rest])
        case ["puma", *_]:
            return _web()
        case ["sidekiq", *_]:
            return _sidekiq()
        case ["tootctl", "cache" | "feeds" as what, *rest]:
            settings = load_settings(Environment())
            return keep_up(Database(settings.servers.database), open_redis(settings.servers), [what, *rest])
        case ["tootctl", *rest]:
            return tootctl(load_settings(Environment()), rest)
        case ["rails", *rest]:
            return _rails(rest)
    raise Refused(f"bundler: command not found: {' '.join(arguments[2:] or arguments)}")


def _web() -> int:
    settings = load_settings(Environment())
    from .mastodon_web import make_application

    application = make_application(settings, open_redis(settings.servers))
    serve(application, settings.listening.address, settings.listening.port)
    return _ENDED


def _rails(arguments: list[str]) -> int:
    environment = Environment()
    settings = load_settings(environment)
    database = Database(settings.servers.database)
    match arguments:
        case ["runner", code, *rest]:
            open_redis(settings.servers)
            command = ["ruby", str(_RUNNER), code, *rest]
            os.execvpe("ruby", command, libpq_variables(settings.servers.database))  # noqa: S606 (no shell is meant)
        case _:
            run_tasks(database, environment, arguments)
    return 0


def _sidekiq() -> int:
    """Works until it is told to stop; the job in hand is finished first."""
    settings = load_settings(Environment())
    client = open_redis(settings.servers)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    queue = Queue(client)
    work = Work(settings, client)
    with _said_to_be_ready():
        print("Starting processing, hit Ctrl-C to stop", flush=True)
        while not stop.is_set():
            try:
                _work(queue, work)
            except Refused as refusal:
                print(refusal, flush=True)
                stop.wait(_SECONDS)
    return 0


def _work(queue: Queue, work: Work) -> None:
    job = queue.take(_SECONDS)
    if job is None:
        return
    try:
        work.do(str(job["class"]), job["args"])
        print(f"{job['class']} {job['jid']}: done", flush=True)
        queue.done()
    except (BucketError, Refused) as error:
        print(f"{job['class']} {job['jid']}: fail: {error}", flush=True)
        queue.failed(job, str(error))
    except Exception as error:
        traceback.print_exc()
        queue.failed(job, str(error))


@contextlib.contextmanager
def _said_to_be_ready() -> Iterator[None]:
    """Keeps the file that says that sidekiq works; upstream allows no path in its name."""
    name = os.environ.get("MASTODON_SIDEKIQ_READY_FILENAME", "")
    if Path(name).name != name:
        raise Refused("MASTODON_SIDEKIQ_READY_FILENAME is not a valid filename")
    file = Path("tmp") / name
    if name:
        file.parent.mkdir(exist_ok=True)
        file.touch()
    yield
    if name:
        file.unlink(missing_ok=True)


if __name__ == "__main__":
    run_program(main)
