"""What the verbs print, and how a command ends."""

import json
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click
from pydantic import BaseModel

if TYPE_CHECKING:
    from fedikit.display.progress import TerminalProgress


def listener() -> "TerminalProgress":
    from fedikit.display.progress import StandardError, TerminalProgress

    return TerminalProgress(StandardError())


def get_ready_to_present() -> None:
    """Imports what draws, slow as it is, while the hosts are asked."""
    threading.Thread(target=import_module, args=("fedikit.display.plans",)).start()


def present(value: BaseModel, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(value.model_dump(mode="json"), indent=1))
        return
    from rich.console import Console

    from fedikit.display.drawing import draw

    Console(soft_wrap=True, highlight=False).print(draw(value))


def is_attended() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def finish(succeeded: bool) -> NoReturn:
    """Ends the process at once: to take apart first all that was imported would only make somebody wait."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if succeeded else 1)
