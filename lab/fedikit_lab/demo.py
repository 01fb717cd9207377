"""The demo, `make demo`: machines boot, the sample is deployed and verified by the runbooks, a browser takes a look.

Exits with 0 only if every check held. The lab stays up for a look around.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from fedikit.display.progress import TerminalProgress
from fedikit.environment.load import load_configuration, load_environment
from fedikit.errors import FedikitError
from fedikit.model.deployment import Deployment
from fedikit.runbook import RunResult, run_runbook
from fedikit_lab.browser import take_screenshot
from fedikit_lab.lab import Lab

CONFIGURATION = Path("configuration.sample.json")


@dataclass(frozen=True)
class Demo:
    """One demonstration; tells on `console` what it does."""

    console: Console
    lab: Lab
    progress: TerminalProgress
    records: Path = Path("runs")

    def run(self) -> bool:
        """Goes through everything; says whether every check held."""
        start = time.monotonic()
        self._announce("Booting the machines")
        self.lab.up()
        deployment = self._deployment()
        self.lab.announce(deployment)
        deployed = self._follow_runbook("deploy", configuration=str(CONFIGURATION), dry_run=False)
        verified = self._follow_runbook("verify", show=self._print, configuration=str(CONFIGURATION))
        self._conclude(deployment, [deployed, verified], time.monotonic() - start)
        return deployed.has_succeeded and verified.has_succeeded

    def _announce(self, what: str) -> None:
        self.progress.close()
        self.console.print(f"[bold]{what}[/]")

    def _deployment(self) -> Deployment:
        return load_environment(self.lab.environment_file).deployment(load_configuration(CONFIGURATION))

    def _print(self, text: str) -> None:
        self.progress.close()
        self.console.print(text, markup=False, soft_wrap=True)

    def _follow_runbook(
        self, name: str, *, show: Callable[[str], None] | None = None, **parameters: object
    ) -> RunResult:
        self._announce(f"Runbook {name}")
        given = {**parameters, "environment": str(near(self.lab.environment_file))}
        result = run_runbook(name, given, records=self.records, tell=self.progress, show=show)
        self.progress.close()
        if not result.has_succeeded:
            self.console.print(result.reason, style="red", markup=False)
        return result

    def _conclude(self, deployment: Deployment, results: list[RunResult], seconds: float) -> None:
        configuration = load_configuration(CONFIGURATION)
        user = configuration.initial_user.username
        site = deployment.dns[0].name
        picture = results[0].folder / "screenshot.png"
        addresses = {record.name: record.address for record in deployment.dns}
        page = f"https://{site}/{user}"
        take_screenshot(page, picture, addresses=addresses, trust=self.lab.directory / "pebble-root.pem")
        environment = near(self.lab.environment_file)
        rows = {
            "server": f"https://{site}/  (inside the lab)",
            "initial user": f"{user}, page {page}",
            "password": f".venv/bin/fedikit secret show snac/initial-user {CONFIGURATION} -e {environment}",
            "notebooks": "  ".join(str(near(result.notebook)) for result in results),
            "screenshot": str(near(picture)),
            "next": f".venv/bin/fedikit plan {CONFIGURATION} -e {environment}   ·   make clean",
        }
        self.console.print()
        for name, text in rows.items():
            self.console.print(f"[bold]{name:<13}[/] {text}", highlight=False, soft_wrap=True)
        self.console.print(f"[dim]{seconds:.1f} s from nothing to the last check[/]")


def near(path: Path) -> Path:
    """The path as seen from here, where that is shorter."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def main() -> int:
    """The demo on this terminal, in the lab of this directory; returns the exit status."""
    console = Console(highlight=False)
    progress = TerminalProgress(console)
    demo = Demo(console, Lab(".lab", tell=progress), progress)
    try:
        return 0 if demo.run() else 1
    except FedikitError as error:
        progress.close()
        console.print(f"[bold red]error:[/] {error}", markup=True)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
