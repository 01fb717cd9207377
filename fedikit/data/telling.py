"""What a host's work on data is told as: each part is an item that is worked on."""

from collections.abc import Callable

from fedikit.events import ItemFinished, ItemStarted, Tell
from fedikit.remote.data_messages import StepEvent


def told_steps(host: str, application: str, tell: Tell, action: str = "backup") -> Callable[[StepEvent], None]:
    """Hands on each step of the host's as an event."""

    def hear(step: StepEvent) -> None:
        item = f"{application} {step.name}"
        if step.phase == "start":
            tell(ItemStarted(host=host, item=item, action=action))
        else:
            tell(ItemFinished(host=host, item=item, action=action, seconds=step.seconds, failed=step.failed))

    return hear
