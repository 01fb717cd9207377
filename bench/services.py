"""Times the deployment of the services, host by host: what began and ended when, from booting to the last check.

.venv/bin/python bench/services.py [--out FILE]
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fedikit
from fedikit.display.progress import StandardError, TerminalProgress
from fedikit.environment import load_configuration, load_environment
from fedikit.events import Event, HostFinished, ItemFinished, ItemStarted, Progress, StepFinished
from fedikit.model import Deployment
from fedikit.verify import verify_deployment
from fedikit_lab import Lab

TARGETS = ("garage", "mastodon", "peertube", "pixelfed")
PROJECT = Path(__file__).resolve().parent.parent
CONFIGURATION = PROJECT / "configuration.services.json"
RESULTS = PROJECT / "bench/services.json"
SHORTEST = 0.05  # seconds; what takes less says nothing
PARTS = {
    "package": "packages",
    "image": "images",
    "database": "databases",
    "bucket": "buckets",
    "unit": "units",
    "job": "jobs",
}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Span:
    """Something that a host was at, in seconds since the apply began."""

    part: str
    what: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Timeline:
    """Hears an apply, and remembers when each host was at what."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._start = clock()
        self._begun: dict[tuple[str, str], float] = {}
        self.spans: dict[str, list[Span]] = {}
        self.finished: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        with self._guard:
            now = self._clock() - self._start
            match event:
                case StepFinished(step=step, seconds=seconds):
                    self._add("", Span("deployer", step, now - seconds, now))
                case Progress(what="sending", host=host, done=done, total=total) if host:
                    self._send(host, now, is_last=done == total)
                case ItemStarted(host=host, item=item):
                    self._begun[host, item] = now
                case ItemFinished(host=host, item=item):
                    self._add(host, Span(part_of(item), item, self._begun.pop((host, item), now), now))
                case HostFinished(host=host):
                    self.finished[host] = now
                case _:
                    pass

    def _send(self, host: str, now: float, *, is_last: bool) -> None:
        began = self._begun.setdefault((host, "sending"), now)
        if is_last:
            self._add(host, Span("sending", "what the host lacks", began, now))

    def _add(self, host: str, span: Span) -> None:
        self.spans.setdefault(host, []).append(span)


def part_of(item: str) -> str:
    """To which part of the work an item belongs."""
    kind, _, name = item.partition(":")
    return "migrations" if kind == "job" and "migra" in name else PARTS.get(kind, "files")


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="where the results go")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="fedikit-bench-") as name:
        results = measured(Path(name), lambda text: print(text, file=sys.stderr, flush=True))
    given.out.write_text(json.dumps(results, indent=1) + "\n")
    print(text_of(results))
    return 0


def measured(directory: Path, say: Say) -> dict[str, Any]:
    """Boots the machines, deploys and checks; raises if not all of it goes well."""
    started = time.monotonic()
    with Lab(directory / "lab", TARGETS, client=True, tell=TerminalProgress(StandardError())) as lab:
        booted = time.monotonic()
        say(f"services: machines booted after {booted - started:.1f} s")
        timeline, applied = applied_to(lab, booted)
        say(f"services: applied in {applied:.1f} s")
        checked = seconds_of_checks(deployment_of(lab))
        total = time.monotonic() - started
    hosts = {host: [asdict(span) for span in timeline.spans[host]] for host in TARGETS}
    seconds = {"boot": booted - started, "apply": applied, "verify": checked, "total": total}
    return rounded({"seconds": seconds, "finished": timeline.finished, "hosts": hosts})


def applied_to(lab: Lab, booted: float) -> tuple[Timeline, float]:
    deployment = deployment_of(lab)
    lab.announce(deployment)
    lab.set_dns({"fediversity.test": lab["garage"].address})  # addresses of people need a domain that receives mail
    timeline = Timeline()
    report = fedikit.apply_plan(fedikit.make_plan(deployment, tell=timeline), tell=timeline)
    if not report.succeeded:
        raise RuntimeError(f"the services could not be deployed: {report}")
    return timeline, time.monotonic() - booted


def deployment_of(lab: Lab) -> Deployment:
    return load_environment(lab.environment_file).deployment(load_configuration(CONFIGURATION))


def seconds_of_checks(deployment: Deployment) -> float:
    started = time.monotonic()
    verdict = verify_deployment(deployment)
    if failed := [result.name for result in verdict.results if not result.passed]:
        raise RuntimeError(f"checks that failed: {', '.join(failed)}")
    return time.monotonic() - started


def rounded(value: Any) -> Any:
    """The same with every figure at hundredths."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 2) if isinstance(value, float) else value


def text_of(results: dict[str, Any]) -> str:
    """The timeline: hosts by when they were done, what each was at, the longest first."""
    return "\n".join(lines_of(results))


def lines_of(results: dict[str, Any]) -> Iterator[str]:
    seconds = results["seconds"]
    yield (
        f"services: {seconds['total']:.1f} s from nothing to the last check: machines {seconds['boot']:.1f} s, "
        f"plan and apply {seconds['apply']:.1f} s, checks {seconds['verify']:.1f} s"
    )
    for host, end in sorted(results["finished"].items(), key=lambda each: -each[1]):
        spans = [Span(**span) for span in results["hosts"][host]]
        yield f"  {host}, done after {end:.1f} s: {', '.join(sums_of(spans))}"
        for span in sorted(together(spans), key=lambda span: -span.seconds):
            if span.seconds >= SHORTEST:
                yield f"    {span.began:6.1f} → {span.ended:5.1f}  {span.seconds:5.1f} s  {span.part:<10}  {span.what}"


def together(spans: Iterable[Span]) -> list[Span]:
    """The spans, with those that are one and the same work as one: packages are installed all at once."""
    found: list[Span] = []
    for span in spans:
        last = found[-1] if found else None
        if last and last.part == span.part and max(last.began, span.began) < min(last.ended, span.ended):
            words = f"{last.what}, {span.what}"
            found[-1] = Span(span.part, words, min(last.began, span.began), max(last.ended, span.ended))
        else:
            found.append(span)
    return found


def sums_of(spans: Iterable[Span]) -> list[str]:
    sums: dict[str, float] = {}
    for span in together(spans):
        sums[span.part] = sums.get(span.part, 0) + span.seconds
    return [f"{part} {seconds:.1f} s" for part, seconds in sorted(sums.items(), key=lambda each: -each[1])]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
