"""One request of a deployer: where it came from, what it asks, and the host that it is about."""

from .channel import Channel
from .eyes import Eyes
from .ledger import HOME, Ledger, Record


class Contact:
    """One request, its answer, and perhaps the order that follows."""

    def __init__(self, channel: Channel, request: Record, origin: str) -> None:
        self.channel = channel
        self.request = request
        self.origin = origin
        self.root: str = request.get("root", "/")
        self.home = self.root.rstrip("/") + HOME
        self.eyes = Eyes(self.root, bytes.fromhex(request.get("seal", "")))

    @property
    def ledger(self) -> Ledger:
        """The record of the deployment, as it is on the disk now."""
        return Ledger(self.home, self.request["deployment"])

    def say_alive(self) -> None:
        self.channel.send({"event": "alive"})
