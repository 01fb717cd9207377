"""What a kind of item is: all that the agent asks of it, each with what most kinds answer.

A kind is whole: what is special about its items stands in its own module, and nothing else asks what kind an item is.
"""

from typing import TYPE_CHECKING, Any

from ..change import Change, Fate
from ..eyes import ABSENT, Eyes, State
from ..hands import Hands
from ..work import Work

if TYPE_CHECKING:
    from ..batch import Batch
    from ..blobs import Blobs
    from ..leaving import Departure
    from ..ledger import Ledger, Record

Item = dict[str, Any]


class Kind:
    """A kind of item. Of a batch are all its items that change in one apply.

    may_be_shared   several deployments may hold one and the same
    has_state       there is something to see of it, which somebody else may change
    is_given_back   what was there before, with its data, is put back as it was and ours no more
    may_hold        other items may lie in it
    leaves_late     after what is wanted is made, for that may fail
    goes_together   its items are made together, and leave together when all else has left
    """

    may_be_shared = False
    has_state = True
    is_given_back = False
    may_hold = False
    leaves_late = False
    goes_together = False

    # One item

    def observe(self, eyes: Eyes, item: Item) -> State:
        """The item's present state, as JSON."""
        raise NotImplementedError

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        """In words, in what the state is not as wanted; empty when the item holds."""
        raise NotImplementedError

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        """Makes it as wanted, from any state; may run twice."""
        raise NotImplementedError

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        """Puts back what was there before; may run twice; returns what it kept, in words."""
        raise NotImplementedError

    def conflict(self, item: Item, state: State) -> str:
        """Why the state cannot be changed into what is wanted; empty when it can."""
        return ""

    # Several deployments on one host

    def held_by(self, deployment: str) -> str:
        """Why it cannot be had, where another deployment has it."""
        return f"belongs to the deployment {deployment}"

    def concerns(self, deployment: str) -> str:
        """What it means for others here that this deployment has it; empty if nothing."""
        return ""

    # Comparing

    def for_this_machine(self, item: Item) -> Item:
        """The item as this machine needs it."""
        return item

    def look_ahead(self, eyes: Eyes, items: list[Item]) -> None:
        """Looks at what all of them need in one go."""

    def making(self, item: Item, state: State) -> str:
        """What its making is called."""
        is_there = state != ABSENT and state.get("installed", True)
        return "update" if is_there else "create"

    def is_done_already(self, eyes: Eyes, item: Item, done: str) -> bool:
        """Whether what differs is only that fedikit has not done it: its effect is there."""
        return False

    def owed(self, item: Item, mended: set[str]) -> list[str]:
        """What is to be done with an item that holds, since others are made, in words."""
        return []

    def is_strange(self, eyes: Eyes, entry: "Record") -> bool:
        """Whether something of somebody else is in its place, which would be lost."""
        return False

    # Telling

    def shown(self, eyes: Eyes, change: Change, blobs: "Blobs | None") -> "Record":
        """What is told of a change besides its words. `blobs` has the contents of then, in a rollback only."""
        return {}

    def contents(self, eyes: Eyes, item: Item) -> set[str]:
        """The contents that are needed to make it, by SHA-256."""
        return {item["sha256"]} if "sha256" in item else set()

    def asks(self, eyes: Eyes, making: list[Change], ledger: "Ledger", target: int | None) -> "Record":
        """What else the deployer is asked for, to make these."""
        return {}

    def unpacked(self, eyes: Eyes, item: Item) -> list[Item]:
        """Those of its parts that take more space than they are large."""
        return []

    def secret_text(self, eyes: Eyes, item: Item) -> str:
        """What of a secret content is on the host and can be known."""
        return ""

    # Before anything is touched

    def announce(self, batch: "Batch", making: list[Change]) -> None:
        """Writes into the ledger what is about to come with them."""

    def clear(self, entry: "Record", mended: set[str]) -> None:
        """Takes out of the entry what is no longer done when others are made."""

    def prior(self, hands: Hands, change: Change, blobs: "Blobs") -> State:
        """What is there before fedikit touches it, with its content brought to safety."""
        return change.state

    # Making

    def prepare(self, batch: "Batch", wanted: list[Change]) -> None:
        """Done before the first of the items that are wanted is made."""

    def after_making(self, batch: "Batch", made: list[Change]) -> None:
        """Done with those that are made, also should another fail."""

    def edited_file(self, change: Change) -> str:
        """The path of a file that somebody edited, and that may be kept as it is before it is made good."""
        return ""

    def finish(self, batch: "Batch", wanted: list[Change]) -> None:
        """Done when all is made: trouble if it did not last."""

    # Leaving

    def fate(self, departure: "Departure", item: Item, prior: State, state: State) -> Fate | None:
        """What becomes of it, where that is not as for most."""
        return None

    def reason_it_cannot_go(self, departure: "Departure", item: Item, state: State) -> str:
        """Why data could not be taken away now, though it is to be."""
        return ""

    def parting_words(self, item: Item, prior: State, state: State) -> list[str]:
        """What is to be said when it leaves."""
        return []

    def is_owed(self, change: Change) -> bool:
        """Whether it is looked at once more when packages have left: they may take along what was put back."""
        return False

    def after_leaving(self, batch: "Batch", left: list[Change]) -> None:
        """Done when all that leaves first has left."""

    def after_leaving_late(self, batch: "Batch") -> None:
        """Done when what is wanted is made, and what leaves late has left; also if nothing of the kind has."""

    def once_more(self, batch: "Batch", left: list[Change]) -> None:
        """Done when packages have left: puts back what they took along."""

    # Whose it is

    def place(self, item: Item) -> str:
        """The path where it lies; empty for what lies nowhere."""
        return str(item.get("path", ""))

    def is_at_its_place_alone(self) -> bool:
        """Whether nothing else can be where it is."""
        return True

    def users(self, item: Item) -> set[str]:
        """The users and groups without whom it cannot be as it is wanted."""
        return {item.get(field, "") for field in ("owner", "group", "user")}

    def account(self, item: Item) -> str:
        """The user that it is."""
        return ""

    def unit(self, item: Item) -> str:
        """The unit that it is."""
        return ""
