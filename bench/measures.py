"""What is measured. Each measure returns its figures: medians, with every single reading beside them."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import tools
from counting import CountingProxy
from machines import clear, expect_all, target_of
from servers import Servers

from fedikit.environment import load_configuration, load_environment
from fedikit.model import Configuration
from fedikit_lab import Lab
from fedikit_lab.machine import Machine

Figures = dict[str, Any]
Say = Callable[[str], None]
MODEL_HOSTS = (250, 500, 1000, 2000)
DEMO_SECONDS = 300
PROJECT = Path(__file__).resolve().parent.parent


def measure_noop(machines: list[Machine], peers: Mapping[str, tools.Tool], runs: int, say: Say) -> Figures:
    """Everything is applied already: how long until each tool has found that out. The tools take turns."""
    clear(machines)
    peers["fedikit"].run()
    expect_all(machines)
    readings: dict[str, list[float]] = {name: [] for name in peers}
    for number in range(runs):
        for name, tool in peers.items():
            readings[name].append(tool.run_without_change(len(machines)).seconds)
            say(f"no-op {number + 1}/{runs}: {name} {readings[name][-1]:.2f} s")
    return figures_of(readings)


def measure_first_apply(machines: list[Machine], peers: Mapping[str, tools.Tool], runs: int, say: Say) -> Figures:
    """Files, units and user are missing, packages are there: how long until all is in place, which is then checked."""
    readings: dict[str, list[float]] = {name: [] for name in peers if name != "ssh"}
    for number in range(runs):
        for name in readings:
            clear(machines)
            readings[name].append(peers[name].run().seconds)
            expect_all(machines)
            say(f"first apply {number + 1}/{runs}: {name} {readings[name][-1]:.2f} s")
    return figures_of(readings)


def measure_wire(machine: Machine, directory: Path, names: Iterable[str], say: Say) -> Figures:
    """What one host's no-op costs on the wire: turns of question and answer, and bytes both ways."""
    tools.all_tools([target_of(machine)], directory / "direct")["fedikit"].run()
    figures: Figures = {}
    for name in names:
        with CountingProxy(machine.address) as proxy:
            target = target_of(machine, proxy.port, "127.0.0.1")
            peers = tools.all_tools([target], directory / "counted")
            peers[name].run_without_change(1)
            seen = proxy.traffic
        figures[name] = {"turns": seen.turns, "bytes": seen.sent + seen.received}
        say(f"wire: {name} {seen.turns} turns, {seen.sent} bytes out, {seen.received} bytes in")
    return figures


def measure_model(directory: Path, runs: int, say: Say) -> Figures:
    """From environment and configuration to the deployment of so many hosts, with all items on each."""
    path = directory / "configuration.json"
    path.write_text(tools.configuration_text("servers"))
    configuration = load_configuration(path, {"servers": Servers()})
    figures: Figures = {}
    for count in MODEL_HOSTS:
        readings = [_seconds_of_model(configuration, directory, count) for _ in range(runs)]
        figures[str(count)] = round(median(readings), 3)
        say(f"model: {count} hosts {figures[str(count)]:.2f} s")
    return figures


def _seconds_of_model(configuration: Configuration, directory: Path, count: int) -> float:
    path = directory / "environment.toml"
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHw9"
    path.write_text(
        tools.environment_text(
            [
                tools.Target(f"m{number}", f"10.0.{number // 250}.{number % 250 + 1}", 22, key, Path("key"))
                for number in range(count)
            ]
        )
    )
    environment = load_environment(path)
    started = time.perf_counter()
    deployment = environment.deployment(configuration)
    seconds = time.perf_counter() - started
    assert len(deployment.hosts) == count
    return seconds


def measure_demo(runs: int, say: Say) -> Figures:
    """From nothing, with a warm store, to the end of the demo. In a folder of its own: nobody's lab is touched."""
    readings = []
    with tempfile.TemporaryDirectory(prefix="fedikit-demo-") as name:
        shutil.copy(PROJECT / "configuration.sample.json", name)
        for number in range(runs + 1):
            try:
                seconds = _seconds_of_demo(Path(name))
            finally:
                Lab(Path(name) / ".lab").down()
            say(f"demo {number}/{runs}: {seconds:.1f} s{'' if number else ' (to warm the store)'}")
            readings.append(seconds)
    return figures_of({"demo": readings[1:]})


def _seconds_of_demo(folder: Path) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "fedikit_lab.demo"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the demo ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return time.perf_counter() - started


def figures_of(readings: Mapping[str, list[float]]) -> Figures:
    """Medians as `NAME_s`, and the readings."""
    medians = {f"{name}_s": round(median(values), 3) for name, values in readings.items() if values}
    rounded = {name: [round(value, 3) for value in values] for name, values in readings.items()}
    return {**medians, "readings": rounded}
