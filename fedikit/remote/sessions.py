"""Sessions: the open connections to a deployment's hosts, from the question what would change to the order."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from fedikit.errors import AgentFailed, FedikitError
from fedikit.model.account import Account
from fedikit.model.deployment import Deployment
from fedikit.remote.answer_messages import Answer, Facts
from fedikit.remote.payload import Closing, Payload, encode, identity_of, resting_if_closed, without_images
from fedikit.remote.session import Session
from fedikit.remote.wanted_facts import wanted_facts
from fedikit.results.identity import former_accounts, refusals, refused_accounts
from fedikit.results.plan import Question
from fedikit.secrets import Vault
from fedikit.store import Store

if TYPE_CHECKING:
    from fedikit.store import Deb, Images


@dataclass
class Asked:
    """A host that has answered: the open session, what it is to have, and what it said."""

    session: Session
    payload: Payload
    answer: Answer
    refused: tuple[str, ...] = ()
    """Why it is not to be changed, though it could be."""
    people: tuple[str, ...] = ()
    """What becomes of initial users who are none any more."""
    debs: "tuple[Deb, ...]" = ()
    """The packages to be installed there, from Debian's signed lists."""

    @property
    def debs_to_send(self) -> "list[Deb]":
        """Those that the host has not in its own store."""
        in_store = set(self.answer.store)
        return [deb for deb in self.debs if deb.sha256 not in in_store]

    @property
    def blobs(self) -> dict[str, int]:
        """The size of each content that the host lacks and we have, by SHA-256."""
        known = {sha256: self.payload.size_of(sha256) for sha256 in self.answer.contents}
        blobs = {sha256: size for sha256, size in known.items() if size is not None}
        return blobs | {deb.sha256: deb.size for deb in self.debs_to_send}


class Told(NamedTuple):
    """What a host told of itself, and what time it was here then."""

    facts: Facts
    time: float


class Sessions:
    """The sessions of a deployment's hosts. A context manager that `make_plan` and `apply_plan` may share:

        with Sessions(deployment) as sessions:
            apply_plan(make_plan(deployment, sessions=sessions), sessions=sessions)

    Then an apply is no second contact. Without it each opens its own, and closes it.

    With `foreseeing`, each host that would be changed tells, with its answer, what it has: `told`, by the host's name.
    An apply first closes what is `closing`.
    """

    def __init__(self, deployment: Deployment, *, foreseeing: bool = False, closing: Closing | None = None) -> None:
        self.deployment = deployment
        self.told: dict[str, Told] = {}
        self._foreseeing = foreseeing
        self._closing = closing or Closing("", {})
        self.vault = Vault.of(deployment)
        self.store = Store()
        self._images: Images | None = None
        self._open: dict[str, Asked] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> "Sessions":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all sessions; the agents that wait on them end by themselves."""
        with self._guard:
            asked, self._open = list(self._open.values()), {}
        for one in asked:
            one.session.close()

    @property
    def images(self) -> "Images":
        """The container images in the deployer's store; one for all hosts, so that no registry is asked twice."""
        from fedikit.store import Images  # few deployments have any

        with self._guard:
            self._images = self._images or Images(self.store)
            return self._images

    def ask(self, host: str, question: Question, *, of_images: bool = True) -> Asked:
        """Asks a host what would change there. The session is open, and the caller's to close or keep.

        Without `of_images`, nothing that rests on container images is asked about: none need be in the store.
        """
        state = self.deployment.hosts[host]
        items = state.items if of_images else without_images(state.items)
        has_images = any(item.has_image for item in items)
        payload = encode(host, items, self.vault, self.images if has_images else None)
        identity = identity_of(state, self.vault)
        with failing_alone(host):
            session = Session(host, state.connection)
            try:
                answer = session.ask(self._request(question, payload, identity), Answer)
                self._note_facts(host, answer)
            except BaseException:
                session.close()
                raise
        for image in answer.images:  # in a rollback: what the store has of the images of that generation
            payload.files |= self.images.sizes_of(image.manifest)
        return Asked(session, payload, answer, *_said_of(answer, identity, state.accounts, question))

    def _note_facts(self, host: str, answer: Answer) -> None:
        if answer.facts:
            with self._guard:
                self.told[host] = Told(answer.facts, time.time())

    def keep(self, host: str, asked: Asked) -> None:
        """Holds a session open, so that its agent can be given an order."""
        with self._guard:
            self._open[host] = asked

    def take(self, host: str) -> Asked | None:
        """The session that was kept, if its agent still waits; it is the caller's now."""
        with self._guard:
            asked = self._open.pop(host, None)
        if asked and not asked.session.is_still_waiting():
            asked.session.close()
            return None
        return asked

    def _request(self, question: Question, payload: Payload, identity: dict[str, str]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "op": "rollback" if question.purpose == "rollback" else "plan",
            "deployment": self.deployment.name,
            "items": payload.items,
            "identity": identity,
            "seal": self.vault.seal_key(payload.host).hex() if self.vault.has_master else "",
        }
        state, is_apply = self.deployment.hosts[payload.host], question.purpose == "apply"
        if resting := resting_if_closed(state):
            request["resting"] = resting
        if is_apply and (closing := self._closing.on(payload.host, state)):
            request["closing"] = closing
        if question.purpose == "remove":
            request["forget"] = True
        if question.purge:
            request["purge"] = True
        if question.drift == "keep":
            request["keep_drift"] = True
        if self._foreseeing and is_apply:
            request["facts"] = {**wanted_facts(self.deployment, payload.host), "brief": True}
        if question.to is not None:
            request["to"] = question.to
        return request


def _said_of(
    answer: Answer, identity: dict[str, str], accounts: Mapping[str, Account], question: Question
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is refused, for data or other servers know it otherwise, and what becomes of former initial users."""
    if question.purpose == "rollback":
        accounts = {}  # that takes no account back
    refused = refusals(answer.identity, identity, question.consent) if answer.has_data else ()
    refused += refused_accounts(answer.identity, accounts, question.consent)
    return refused, former_accounts(answer.identity, accounts)


@contextmanager
def failing_alone(host: str) -> Iterator[None]:
    """Whatever goes wrong with one host is that host's failure: the others finish."""
    try:
        yield
    except FedikitError:
        raise
    except Exception as error:
        raise AgentFailed(host, f"the contact failed: {type(error).__name__}: {error}") from error
