"""Measures fedikit against raw SSH, pyinfra and Ansible; writes `bench/results.json`, prints a table with ratios.

Times the services too, host by host, once; that goes to `bench/services.json`.

.venv/bin/python bench/run.py [--runs 5] [--only noop,first_apply,wire,model,demo,services] [--quick]
    [--release trixie] [--out FILE]
"""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import measures
import services
import table
import tools
import wanted
from machines import booted, target_of

from fedikit_lab.image import CODENAME

MEASURES = ("noop", "first_apply", "wire", "model", "demo", "services")
ON_MACHINES = ("noop", "first_apply", "wire")
MACHINES = 10
RESULTS = Path(__file__).resolve().parent / "results.json"


def main(words: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the machines are taken down even then
    given = arguments(words)
    results = json.loads(given.out.read_text()) if given.out.exists() else {}
    results |= {"machine": machine(), "hosts": MACHINES, "items": wanted.count(), "runs": given.runs}
    results["release"] = given.release
    with tempfile.TemporaryDirectory(prefix="fedikit-bench-") as name:
        for measure, figures in measured(given, Path(name)):
            take_in(results, measure, figures)
            given.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table.text(results))
    if "services" in given.only:
        print(services.text_of(json.loads(services.RESULTS.read_text())))
    return 0


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="readings of each figure, the median counts")
    parser.add_argument("--only", default=",".join(MEASURES), metavar="NAMES", help="measures, joined by commas")
    parser.add_argument("--quick", action="store_true", help="leave Ansible out, it takes minutes")
    parser.add_argument(
        "--release", default=CODENAME, help="of Debian, that the machines run; %(default)s if not given"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="where the results go")
    given = parser.parse_args(words)
    given.only = given.only.split(",")
    if unknown := set(given.only) - set(MEASURES):
        parser.error(f"there is no measure {', '.join(sorted(unknown))}; there are: {', '.join(MEASURES)}")
    return given


def measured(given: argparse.Namespace, directory: Path) -> Any:
    """The chosen measures and their figures, one after the other."""
    chosen = [measure for measure in MEASURES if measure in given.only]
    if any(measure in ON_MACHINES for measure in chosen):
        yield from measured_on_machines(chosen, given, directory)
    if "model" in chosen:
        yield "model", measures.measure_model(directory, given.runs, say)
    if "demo" in chosen:
        yield "demo", measures.measure_demo(given.runs, say)
    if "services" in chosen:
        yield "services", services.measured(directory, say)


def measured_on_machines(chosen: list[str], given: argparse.Namespace, directory: Path) -> Any:
    say(f"booting {MACHINES} machines")
    with booted(directory / "lab", MACHINES, given.release) as machines:
        peers = tools.all_tools([target_of(machine) for machine in machines], directory / "all")
        if given.quick:
            del peers["ansible"]
        if "noop" in chosen:
            yield "noop", measures.measure_noop(machines, peers, given.runs, say)
        if "first_apply" in chosen:
            yield "first_apply", measures.measure_first_apply(machines, peers, given.runs, say)
        if "wire" in chosen:
            yield "wire", measures.measure_wire(machines[0], directory, peers, say)


def take_in(results: dict[str, Any], measure: str, figures: measures.Figures) -> None:
    """Puts figures where readers of the results look for them."""
    match measure:
        case "wire":
            results["wire"] = figures
            results["noop"] = results.get("noop", {}) | figures["fedikit"]
        case "model":
            results["model_hosts_s"], results["model_1000_hosts_s"] = figures, figures["1000"]
        case "demo":
            results["demo_warm_s"], results["demo_readings"] = figures["demo_s"], figures["readings"]["demo"]
        case "services":
            services.RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
            results["services_s"] = figures["seconds"]
        case _:
            earlier = results.get(measure, {})
            figures["readings"] = earlier.get("readings", {}) | figures["readings"]
            results[measure] = earlier | figures


def machine() -> dict[str, Any]:
    """What the figures were taken on; they compare only with others from there."""
    return {
        "cores": os.cpu_count(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "python": platform.python_version(),
        "fedikit": version("fedikit"),
        **tools.versions(),
    }


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
