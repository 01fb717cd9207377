"""Cowsay: a second small application, so that two can be chosen."""

from fedikit.model import Application, Context, Example, LoginShell, Requests, Settings


class CowsaySettings(Settings):
    """The talking cow."""


class Cowsay(Application[CowsaySettings]):
    """Puts a talking cow into the operator's login shell."""

    name = "cowsay"

    def requests(self, settings: CowsaySettings, context: Context) -> Requests:
        # Debian keeps games out of root's PATH, so the example names the whole path and works in every login shell
        moo = Example(command=("/usr/games/cowsay", "moo"), prints="< moo >")
        return {"shell": LoginShell(packages=("cowsay",), examples=(moo,))}
