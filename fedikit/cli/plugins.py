"""Commands that other distributions bring, as entry points of the group `fedikit.commands`."""

from importlib.metadata import EntryPoint, entry_points

import click

from fedikit.errors import FedikitError

GROUP = "fedikit.commands"
OWN = {"lab": "fedikit-lab", "prove": "fedikit-lab"}
"""For commands of ours that may be missing, the distributions that bring them."""


def plugin_names() -> set[str]:
    """The commands that are installed, and those of ours that could be."""
    return entry_points(group=GROUP).names | OWN.keys()


def find_plugin(name: str) -> click.Command | None:
    """The command of that name; one that cannot be had answers with the reason."""
    for entry_point in entry_points(group=GROUP, name=name):
        return _loaded(entry_point)
    if name not in OWN:
        return None
    return _refusing(name, f"`fedikit {name}` is not installed", hint=f"pip install {OWN[name]}")


def _loaded(entry_point: EntryPoint) -> click.Command:
    try:
        found = entry_point.load()
    except Exception as error:  # whatever a stranger's module raises
        found = f"{type(error).__name__}: {error}"
    if isinstance(found, click.Command):
        return found
    problem = f"`fedikit {entry_point.name}` cannot be loaded from {entry_point.value}: {found}"
    return _refusing(entry_point.name, problem, hint="repair or uninstall the package that brings it")


def _refusing(name: str, problem: str, *, hint: str) -> click.Command:
    """A command that takes whatever words it is given, and says why it cannot be had."""

    def refuse() -> None:
        raise FedikitError(problem, hint=hint)

    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(
        name, callback=refuse, context_settings=anything, add_help_option=False, short_help=f"Not here: {hint}."
    )
