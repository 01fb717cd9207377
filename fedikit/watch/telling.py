"""Telling: sends what waits, by every way that the environment names; what does not go waits on."""

from collections.abc import Callable, Mapping
from functools import partial

from fedikit.environment.environment import Environment
from fedikit.errors import FedikitError
from fedikit.model.secret import SecretRef
from fedikit.secrets import Vault
from fedikit.verify.certificate import Trust
from fedikit.watch.memory import Memory, Waiting
from fedikit.watch.message import Message

Way = Callable[[Message], None]
"""Tells a message. Raises FedikitError if that was not possible."""
WEBHOOK = "webhook"


def ways_of(environment: Environment) -> dict[str, Way]:
    """The ways to tell, by name: each recipient of mail is one, so that nobody is told twice for another's sake."""
    rules, vault = environment.watch, Vault.of(environment.empty())
    ways: dict[str, Way] = {}
    for recipient in rules.mail.to if rules.mail else ():
        ways[f"mail to {recipient}"] = partial(_mail, environment, vault, recipient)
    if rules.webhook:
        ways[WEBHOOK] = partial(_post, environment, vault)
    return ways


def _mail(environment: Environment, vault: Vault, recipient: str, message: Message) -> None:
    from fedikit.watch.mail import Mailer  # needed only where something changed

    rules, policy = environment.watch, environment.policies.mail
    assert rules.mail
    relay = rules.relay(policy)
    password = vault.value(SecretRef(name=rules.mail.password, given=True)) if relay.user else ""
    trust = Trust(environment.network.trust).context
    Mailer(relay, rules.sender(policy) or "", password, trust).send(message, recipient)


def _post(environment: Environment, vault: Vault, message: Message) -> None:
    from fedikit.watch.webhook import Hook  # brings httpx, which is slow to import

    webhook = environment.watch.webhook
    assert webhook
    secret = vault.value(SecretRef(name=webhook.secret, given=True)) if webhook.secret else ""
    Hook(webhook.url, secret, Trust(environment.network.trust).context).post(message)


def tell_waiting(memory: Memory, ways: Mapping[str, Way]) -> tuple[Memory, tuple[str, ...]]:
    """What waits after all was tried, and what went wrong. A way that failed is not tried again at this look."""
    closed: dict[str, str] = {}
    waiting = []
    for one in memory.waiting:
        left = tuple(name for name in one.ways if name in ways and not _goes(one.message, name, ways[name], closed))
        if left:
            waiting.append(Waiting(message=one.message, ways=left))
    problems = tuple(f"{name}: {why}" for name, why in closed.items())
    return memory.model_copy(update={"waiting": tuple(waiting)}), problems


def _goes(message: Message, name: str, way: Way, closed: dict[str, str]) -> bool:
    if name in closed:
        return False
    try:
        way(message)
    except FedikitError as error:
        closed[name] = error.text
        return False
    return True
