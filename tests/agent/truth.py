"""Whether what was done is what the plan had said, for things that lie on the disk."""

from typing import Any

from tests.agent.conftest import Host, Item

PLACES = ("file", "directory", "symlink")


def said_and_done(host: Host, *items: Item, **request: Any) -> dict[str, tuple[str, str]]:
    """Applies, and holds the host against the plan's lines; returns these, as action and reasons by item id."""
    changes = host.plan(*items, **request)["changes"]
    before = _there(host, changes)
    events = host.apply(*items, **request)
    assert events[-1]["event"] == "done", events[-1]
    after = _there(host, changes)
    for change in changes:
        if change["id"] in before:
            _hold(change, was_there=before[change["id"]], is_there=after[change["id"]])
    return {change["id"]: (change["action"], ", ".join(change.get("reasons", ()))) for change in changes}


def _there(host: Host, changes: list[dict[str, Any]]) -> dict[str, bool]:
    split = {change["id"]: change["id"].split(":", 1) for change in changes}
    paths = {identity: host.root / path.lstrip("/") for identity, (kind, path) in split.items() if kind in PLACES}
    return {identity: path.exists() or path.is_symlink() for identity, path in paths.items()}


def _hold(change: dict[str, Any], *, was_there: bool, is_there: bool) -> None:
    expected = {
        "create": True,
        "update": True,
        "delete": False,
        "restore": True,
        "keep": was_there,
        "release": was_there,
        "adopt": was_there,
    }
    assert is_there == expected[change["action"]], change
