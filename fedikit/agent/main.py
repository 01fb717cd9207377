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
from .contact import Contact
from .trouble import Trouble, as_event, trouble_from


def main(source: BinaryIO, request: bytes, origin: str) -> int:
    """Serves one contact. `source` goes on after the request; `origin` is where the host keeps this agent."""
    sink = os.dup(1)
    os.dup2(2, 1)
    channel = Channel(source, sink)
    try:
        return _serve(Contact(channel, unpack(request), origin))
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


def _serve(contact: Contact) -> int:
    """What a request does not need is not imported for it."""
    match contact.request["op"]:
        case "plan" | "rollback":
            return _plan(contact)
        case "upgrade" | "reboot":
            from . import upgrade_order

            return upgrade_order.serve(contact)
        case "data":
            from . import data_order

            return data_order.serve(contact)
        case _:
            from .at_once import at_once

            contact.channel.send(at_once(contact))
            return 0


def _plan(contact: Contact) -> int:
    _refuse_strange_systems(contact)
    question = Question(contact.eyes, contact.request, contact.ledger)
    contact.eyes.say_alive = contact.say_alive
    comparison = compare(contact.eyes, question.wish, question.ledger, question.others)
    contact.channel.send(answer_to(question, comparison))
    # While the deployer reads the answer. Not later: a newer agent may take this one's place meanwhile.
    from .applying import Applying
    from .order import receive_order

    return Applying(contact, question.wish, receive_order(contact.channel)).run()


def _refuse_strange_systems(contact: Contact) -> None:
    """Before anything else; what is there can be looked at and taken away, whatever became of the system."""
    if contact.request.get("forget"):
        return
    from .distribution import OS_RELEASE, strange_system

    if system := strange_system(contact.eyes.read(OS_RELEASE)):
        raise Trouble(f"is {system}: not supported, Debian 12 and 13 are")
