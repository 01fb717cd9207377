"""What a host says cannot run in the provider's browser: tried with a real one, past the door that refuses it first."""

import subprocess
from pathlib import Path

import pytest

from fedikit.display.drawing import mimebundle
from fedikit.model.deployment import Deployment
from fedikit.results.check import CheckResult
from fedikit.results.plan import HostPlan, Plan, PlannedChange
from fedikit.results.report import HostReport, ItemReport, Report
from fedikit.results.status import HostStatus, Status
from fedikit.results.verdict import Verdict
from fedikit_lab.browser import FLAGS

pytestmark = pytest.mark.lab
SCRIPT = "document.title='ran'"
HOSTILE = (
    f"""[link="><img/src="x"/onerror="{SCRIPT}">]z[/link]<img src=x onerror="{SCRIPT}"><script>{SCRIPT}</script>"""
    f"""[link=javascript:{SCRIPT}]y[/link] [bold]b[/]"""
)


def shown() -> list[object]:
    item = ItemReport(id=f"file:{HOSTILE}", action=HOSTILE, seconds=0.1, kept=HOSTILE, saved=HOSTILE)
    report = HostReport(host="one", outcome="failed", items=(item,), error=HOSTILE)
    change = PlannedChange(id=f"file:{HOSTILE}", action="update", reasons=(HOSTILE,), before=HOSTILE, after=HOSTILE * 2)
    planned = HostPlan(host="one", changes=(change,), note=HOSTILE, kept=(HOSTILE,), leaving_packages=(HOSTILE,))
    check = CheckResult(name=HOSTILE, application=HOSTILE, passed=False, seconds=0.1, detail=HOSTILE, attempts=1)
    status = HostStatus(host="one", items={f"file:{HOSTILE}": HOSTILE}, busy=HOSTILE, neighbours=(HOSTILE,))
    return [
        Report(purpose="apply", run="r", hosts={"one": report}, seconds=0.1),
        Plan(purpose="apply", deployment=Deployment(name="d", hosts={}), hosts={"one": planned}),
        Verdict(results=(check,)),
        Status(deployment="d", hosts={"one": status}),
    ]


def title_of(html: str, folder: Path) -> str:
    """The title of a page, after a real browser has run whatever runs on it."""
    page = folder / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title>still</title>{html}")
    command = ["chromium", *FLAGS, f"--user-data-dir={folder}/profile", "--host-resolver-rules=MAP * ~NOTFOUND"]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.partition("<title>")[2].partition("</title>")[0]


def test_the_browser_would_run_a_script_that_got_through(tmp_path: Path) -> None:
    assert title_of(f'<img src=x onerror="{SCRIPT}">', tmp_path) == "ran"


@pytest.mark.parametrize("value", shown(), ids=lambda value: type(value).__name__)
def test_words_of_a_host_are_text_and_nothing_else(value: object, tmp_path: Path) -> None:
    html = mimebundle(value)["text/html"]
    assert "<a " not in html
    assert title_of(html, tmp_path) == "still"
