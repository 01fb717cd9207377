"""Draws the results: every figure, its ratio to fedikit's, and whether the target is met."""

from collections.abc import Iterator
from typing import Any

from measures import MODEL_HOSTS

NOOP_TO_SSH = 1.3
TURNS, BYTES = 10, 20_000
MODEL_SECONDS, DEMO_SECONDS = 1.0, 40.0
TOOLS = ("ssh", "fedikit", "pyinfra", "ansible")


def text(results: dict[str, Any]) -> str:
    """The table, of whatever has been measured."""
    return "\n".join(_lines(results))


def _lines(results: dict[str, Any]) -> Iterator[str]:
    where = f"{results['hosts']} machines, {results['items']} items each"
    if noop := results.get("noop", {}):
        yield from _times(f"nothing to change ({where})", noop)
        if {"fedikit_s", "ssh_s"} <= noop.keys():
            ratio = noop["fedikit_s"] / noop["ssh_s"]
            yield f"  fedikit / ssh  {ratio:.2f}  {_verdict(ratio, NOOP_TO_SSH, f'{NOOP_TO_SSH}')}"
    if first := results.get("first_apply"):
        yield from _times(f"first apply of files, units and user ({where})", first)
    if wire := results.get("wire"):
        yield from _wire(wire)
    if model := results.get("model_hosts_s"):
        counts = ", ".join(f"{count}: {model[str(count)]:.2f} s" for count in MODEL_HOSTS)
        yield f"model → deployment, by hosts: {counts}"
        yield f"  1000 hosts  {_verdict(model['1000'], MODEL_SECONDS, f'{MODEL_SECONDS:g} s')}"
    if "demo_warm_s" in results:
        seconds = results["demo_warm_s"]
        yield f"demo, from machines off to its end: {seconds:.1f} s  {_verdict(seconds, DEMO_SECONDS, '40 s')}"


def _times(title: str, figures: dict[str, Any]) -> Iterator[str]:
    yield title
    for name in TOOLS:
        seconds = figures.get(f"{name}_s")
        if seconds is not None:
            yield f"  {name:<9}{seconds:8.2f} s{_ratio(seconds, figures.get('fedikit_s'))}"


def _ratio(seconds: float, fedikit: float | None) -> str:
    return f"  {seconds / fedikit:7.2f} × fedikit" if fedikit else ""


def _wire(figures: dict[str, Any]) -> Iterator[str]:
    yield "on the wire for one host with nothing to change"
    for name, seen in figures.items():
        yield f"  {name:<9}{seen['turns']:8} turns  {seen['bytes'] / 1000:9.1f} kB"
    own = figures["fedikit"]
    yield f"  fedikit  {_verdict(own['turns'], TURNS, f'{TURNS} turns')}, {_verdict(own['bytes'], BYTES, '20 kB')}"


def _verdict(figure: float, target: float, words: str) -> str:
    return f"(target ≤ {words}: {'met' if figure <= target else 'MISSED'})"
