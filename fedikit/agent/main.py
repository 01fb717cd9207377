"""The agent's one contact with its deployer: answers what would change, and, if told to, makes it so.

deployer                                   agent
request {op, deployment, items, …}     →
                                       ←   answer {changes, needs, basis, …}
nothing more: the channel closes, the agent ends; or
order {basis, debs, secrets, blobs…}   →   takes the lock, compares again, refuses if the host has moved
                                       ←   item events, then {event: done}
"""

import os
from typing import BinaryIO

from .answer import Question, answer_to
from .channel import Channel, Gone, unpack
from .compare import compare
from .eyes import Eyes
from .ledger import HOME, Ledger, Record
from .trouble import Trouble, as_event, trouble_from


def main(source: BinaryIO, request: bytes, origin: str) -> int:
    """Serves one contact. `source` goes on after the request; `origin` is where the host keeps this agent."""
    sink = os.dup(1)
    os.dup2(2, 1)
    channel = Channel(source, sink)
    try:
        return Contact(channel, unpack(request), origin).serve()
    except Gone:
        return 0
    except Trouble as trouble:
        channel.send(as_event(trouble))
        return 1
    except PermissionError as error:
        channel.send(
            as_event(Trouble(f"not permitted: {error}", hint="the login user needs to be root or to have sudo"))
        )
        return 1
    except Exception as error:
        channel.send(as_event(trouble_from(error)))
        if not isinstance(error, OSError):
            raise
        return 1


class Contact:
    """One request, its answer, and perhaps the order that follows."""

    def __init__(self, channel: Channel, request: Record, origin: str) -> None:
        self.channel = channel
        self.request = request
        self.origin = origin
        self.root: str = request.get("root", "/")
        self.home = self.root.rstrip("/") + HOME
        self.eyes = Eyes(self.root, bytes.fromhex(request.get("seal", "")))

    def serve(self) -> int:
        match self.request["op"]:
            case "plan" | "rollback":
                return self._plan()
            case "upgrade" | "reboot":
                from . import upgrade_order  # not needed to plan

                return upgrade_order.serve(self)
            case "data":
                from . import data_order  # not needed to plan

                return data_order.serve(self)
            case _:
                from .at_once import at_once  # not needed to plan

                self.channel.send(at_once(self))
                return 0

    @property
    def ledger(self) -> Ledger:
        """The record of the deployment, as it is on the disk now."""
        return Ledger(self.home, self.request["deployment"])

    def say_alive(self) -> None:
        self.channel.send({"event": "alive"})

    def _plan(self) -> int:
        self._refuse_strange_systems()
        ledger = self.ledger
        question = Question(self.eyes, self.request, ledger)
        self.eyes.say_alive = self.say_alive
        comparison = compare(self.eyes, question.wish, ledger, question.others)
        self.channel.send(answer_to(question, comparison))
        # While the deployer reads the answer. Not later: a newer agent may take this one's place meanwhile.
        from .applying import Applying
        from .order import receive_order

        return Applying(self, question.wish, receive_order(self.channel)).run()

    def _refuse_strange_systems(self) -> None:
        """Before anything else; what is there can be looked at and taken away, whatever became of the system."""
        if self.request.get("forget"):
            return
        from .distribution import OS_RELEASE, strange_system

        if system := strange_system(self.eyes.read(OS_RELEASE)):
            raise Trouble(f"is {system}: not supported, Debian 12 and 13 are")
