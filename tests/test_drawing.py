"""What people see: plans, reports, verdicts and status, as text."""

import re
import subprocess
import sys
from typing import Any

import pytest

from fedikit.display.drawing import lines_of, mimebundle, texts_of
from fedikit.display.markup import styled
from fedikit.model.deployment import Deployment
from fedikit.model.host import HostState, Local
from fedikit.results.plan import HostPlan, ImageParts, Plan, PlannedChange, PlannedDeb
from fedikit.results.report import HostReport, ItemReport, Report
from fedikit.results.services import Service, Services
from fedikit.results.status import Counts, Generation, HostStatus, LastRun, Moves, Status
from fedikit.verify import CheckResult, Verdict

DEB = PlannedDeb(name="caddy", version="2.6", sha256="0" * 64, size=14_200_000)


def plan_of(*hosts: HostPlan) -> Plan:
    states = {host.host: HostState(items=(), connection=Local()) for host in hosts}
    deployment = Deployment(name="home", hosts=states)
    return Plan(purpose="apply", deployment=deployment, hosts={host.host: host for host in hosts}, seconds=0.9)


def shown(value: object) -> str:
    return "\n".join(line.rstrip() for line in lines_of(value))


def test_a_plan_names_each_change_and_counts_the_hosts() -> None:
    change = PlannedChange(id="file:/etc/a", action="update", reasons=("content",), before="a\nb\n", after="a\nc\n")
    packages = PlannedChange(id="package:caddy", action="create", reasons=("absent",))
    job = PlannedChange(id="job:initial user", action="run", reasons=("has not run",))
    social = HostPlan(host="social", changes=(packages, change, job), debs=(DEB,), bytes_to_send=14_200_000)
    assert shown(plan_of(social, HostPlan(host="hello", same=3))) == (
        "social  + package   caddy 2.6  (1 package, 14.2 MB to send)\n"
        "        ~ file      /etc/a  +1 −1\n"
        "            @@ -1,2 +1,2 @@\n"
        "             a\n"
        "            -b\n"
        "            +c\n"
        "        ▸ job       initial user\n"
        "hello     nothing to change\n"
        "1 host would change, 1 is as wanted.  (0.9 s, one contact per host)"
    )


def test_a_secret_file_is_only_said_to_differ() -> None:
    change = PlannedChange(id="file:/etc/secret", action="update", reasons=("content",))
    assert "/etc/secret  content (secret)" in shown(plan_of(HostPlan(host="social", changes=(change,))))


def test_an_image_says_what_it_is_and_what_of_it_is_to_be_sent() -> None:
    packages = PlannedChange(id="package:caddy", action="create", reasons=("absent",))
    title = "Contract image of Mastodon"
    image = PlannedChange(id="image:contract.lab/mastodon:v4", action="create", reasons=("absent",), title=title)
    shared = PlannedChange(id="image:contract.lab/streaming:v4", action="create", reasons=("absent",), title="Other")
    parts = ImageParts(reference="contract.lab/mastodon:v4", manifest="0" * 64, parts=("1" * 64,), size=57_300_000)
    changes, bytes_to_send = (packages, image, shared), 14_200_000 + 57_300_000
    host = HostPlan(host="home", changes=changes, debs=(DEB,), images=(parts,), bytes_to_send=bytes_to_send)
    assert shown(plan_of(host)).splitlines()[:3] == [
        "home  + package   caddy 2.6  (1 package, 14.2 MB to send)",
        "      + image     contract.lab/mastodon:v4  Contract image of Mastodon, 57.3 MB to send",
        "      + image     contract.lab/streaming:v4  Other",
    ]


def image_change(reference: str, action: Any) -> PlannedChange:
    return PlannedChange(id=f"image:{reference}", action=action)


def test_another_version_of_what_runs_comes_first_and_an_older_one_warns() -> None:
    newer = [image_change("ghcr.io/m/mastodon:v4.7.9", "delete"), image_change("ghcr.io/m/mastodon:v4.7.10", "create")]
    older = [
        image_change("docker.io/c/peertube:v8.3.1", "delete"),
        image_change("docker.io/c/peertube:v8.2.1", "create"),
    ]
    host = HostPlan(host="home", changes=(*newer, *older, image_change("docker.io/d/garage:v2", "create")))

    assert shown(plan_of(host)).splitlines()[:2] == [
        "home  ! peertube v8.3.1 → v8.2.1: older than what runs, which may not read what the newer one wrote",
        "      ↑ mastodon v4.7.9 → v4.7.10",
    ]


def test_drift_and_what_is_kept_are_told() -> None:
    edited = PlannedChange(id="file:/etc/a", action="update", reasons=("content",), drift=True, before="x", after="y")
    text = shown(plan_of(HostPlan(host="social", changes=(edited,), kept=("directory:/srv/data",))))
    assert "edited by hand; the edition is saved on the host" in text
    assert "kept since it left: directory:/srv/data" in text


def test_a_host_that_cannot_be_planned_says_why() -> None:
    text = shown(plan_of(HostPlan(host="social", error="root@x:22 cannot be reached\n  → is the machine up?")))
    assert text.splitlines()[0] == "social  root@x:22 cannot be reached"
    assert "1 cannot be planned" in text


def test_a_long_file_is_cut_short() -> None:
    change = PlannedChange(id="file:/etc/a", action="create", after="".join(f"{n}\n" for n in range(100)))
    assert "… 90 lines more" in shown(plan_of(HostPlan(host="social", changes=(change,))))


def test_a_long_file_can_be_seen_whole() -> None:
    change = PlannedChange(id="file:/etc/a", action="create", after="".join(f"{n}\n" for n in range(100)))
    plan = plan_of(HostPlan(host="social", changes=(change,)))
    assert "+99" in "\n".join(text.plain for text in texts_of(plan, whole=True))
    assert "+99" not in shown(plan)
    assert "all of /etc/a" in html_of(plan)
    assert "+99" in html_of(plan)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_lines_break_between_words_and_the_reason_of_a_failure_stays_whole(width: int) -> None:
    reason = "the connection was refused by a machine that is called social, which may well be asleep " * 3
    bad = HostReport(host="social", outcome="failed", error=reason.strip(), seconds=0.3)
    lines = list(lines_of(Report(purpose="apply", run="r1", hosts={"social": bad}, seconds=1.3), width))
    assert all(len(line) <= width for line in lines)
    assert " ".join(reason.split()) in " ".join(" ".join(lines).split())


def test_where_services_are_is_said_without_any_password() -> None:
    services = Services(
        all=(
            Service(application="hello", commands=("hello (on shells)",)),
            Service(
                application="mastodon", address="https://m.example", username="test", email="t@m.example",
                password="fedikit secret show mastodon/initial-user",
            ),
        )
    )  # fmt: skip
    assert shown(services).splitlines() == [
        "Your services:",
        "  hello     hello (on shells)",
        "  mastodon  https://m.example",
        "            test (t@m.example) signs in; the password: fedikit secret show mastodon/initial-user",
    ]


def test_a_generation_says_what_came_changed_and_went() -> None:
    moves = Moves(added=("file:/a", "file:/b", "file:/c", "file:/d"), changed=("unit:x.service",),
                  counts=Counts(added=4, changed=1))  # fmt: skip
    generation = Generation(number=2, time="", run="r2", note="apply", who="a@b", items=3, moves=moves)
    status = Status(deployment="home", hosts={"one": HostStatus(host="one", generations=(generation,))})
    assert "+ 4: file /a, file /b, file /c and 1 more" in shown(status)
    assert "~ 1: unit x.service" in shown(status)
    assert "file /d" in "\n".join(text.plain for text in texts_of(status.of_generation(2), whole=True))


def test_a_report_says_what_was_done_what_failed_and_what_was_saved() -> None:
    saved = ItemReport(id="file:/etc/a", action="update", seconds=0.1, saved="/var/lib/fedikit/edited/a")
    good = HostReport(host="hello", outcome="changed", items=(saved,), generation=3, seconds=1.2)
    bad = HostReport(host="social", outcome="failed", error="job:x: `false` ended with exit status 1", seconds=0.3)
    text = shown(Report(purpose="apply", run="r1", hosts={"hello": good, "social": bad}, seconds=1.3))
    assert "hello  changed 1 update; generation 3" in text
    assert "social: job:x: `false` ended with exit status 1" in text
    assert "saved as /var/lib/fedikit/edited/a" in text
    assert "apply: 1 changed, 1 failed.  (1.3 s, run r1)" in text


def test_a_verdict_has_a_line_a_check_and_gives_failures_their_room() -> None:
    good = CheckResult(name="a answers", application="snac", passed=True, seconds=0.2, detail="HTTP 200", attempts=1)
    bad = CheckResult(name="b answers", application="snac", passed=False, seconds=9, detail="x" * 80, attempts=7)
    lines = shown(Verdict(results=(good, bad))).splitlines()
    assert lines[0] == "✓ snac  a answers  HTTP 200, 0.2 s"
    assert "x" * 80 in "".join(lines[1:])
    assert lines[-1] == "1 of 2 checks failed."


def test_no_checks_are_no_success_story() -> None:
    assert shown(Verdict(results=())) == "There was nothing to check."


def test_status_shows_generations_and_how_the_last_run_ended() -> None:
    generation = Generation(number=2, time="2026-01-01T00:00:00Z", run="r2", note="apply", who="a@b", items=3)
    failed = LastRun(run="r3", who="a@b", time="2026-01-02T00:00:00Z", state="failed", item="job:x", message="no")
    host = HostStatus(host="hello", generation=2, generations=(generation,), items={"a": "held"}, last_run=failed)
    text = shown(Status(deployment="home", hosts={"hello": host}))
    assert "the last run r3 failed at job:x no" in text
    assert "* generation 2   2026-01-01T00:00:00Z  3 items   apply, by a@b" in text


def test_a_notebook_gets_text_and_html_and_the_html_is_escaped() -> None:
    change = PlannedChange(id="file:/etc/<b>", action="create", after="<script>\n")
    bundle = mimebundle(plan_of(HostPlan(host="social", changes=(change,))))
    assert "<script>" in bundle["text/plain"]
    assert "<script>" not in bundle["text/html"]
    assert "&lt;script&gt;" in bundle["text/html"]


def html_of(value: object) -> str:
    """Without the style."""
    return re.sub("<style>.*?</style>", "", mimebundle(value)["text/html"], flags=re.DOTALL)


CREATED = PlannedChange(id="file:/etc/a", action="create", reasons=("absent",))


def hosts(count: int, *others: HostPlan) -> Plan:
    return plan_of(*(HostPlan(host=f"host{number}", changes=(CREATED,)) for number in range(count)), *others)


def test_a_plan_in_a_notebook_is_a_sentence_and_a_fold_for_each_host() -> None:
    html = html_of(plan_of(HostPlan(host="social", changes=(CREATED,)), HostPlan(host="hello", same=3)))
    assert html == (
        '<div class="fk-shown"><div class="fk-line"><span class="fk-bold">1 host would change, 1 is as wanted.</span>'
        '<span class="fk-dim">  (0.9 s, one contact per host)</span></div>'
        '<details open><summary><span class="fk-bold">social</span><span class="fk-green">  + 1 create</span></summary>'
        '<div class="fk-line"><span class="fk-green">+ file      </span>/etc/a</div></details>'
        '<div class="fk-line"><span class="fk-bold">hello</span><span class="fk-dim">  nothing to change</span></div>'
        "</div>"
    )


def test_of_many_hosts_those_stand_open_of_which_something_must_be_known() -> None:
    lost = PlannedChange(id="directory:/srv/notes", action="delete", data=True)
    older = (
        image_change("docker.io/c/peertube:v8.3.1", "delete"),
        image_change("docker.io/c/peertube:v8.2.1", "create"),
    )
    known = (
        HostPlan(host="dead", error="no answer"),
        HostPlan(host="torn", changes=(CREATED,), refused=("the domain would change",)),
        HostPlan(host="blocked", changes=(CREATED.model_copy(update={"action": "blocked"}),)),
        HostPlan(host="lossy", changes=(lost,)),
        HostPlan(host="older", changes=older),
    )
    names = re.findall(r'<details open><summary><span class="fk-bold">(\w+)', html_of(hosts(2, *known)))
    assert names == ["dead", "torn", "blocked", "lossy", "older"]
    assert html_of(hosts(3)).count("<details><summary>") == 3
    assert html_of(hosts(2)).count("<details open><summary>") == 2


@pytest.mark.parametrize("action", ["keep", "delete"])
def test_data_that_would_be_destroyed_is_said_beside_its_host(action: Any) -> None:
    notes = PlannedChange(id="directory:/srv/notes", action=action, data=True)
    plan = plan_of(HostPlan(host="lossy", changes=(notes,)))
    assert plan.may_lose_data is (action == "delete")
    assert ("! data may be lost" in html_of(plan)) is (action == "delete")


def test_no_colour_is_fixed_inline_and_no_line_is_cut() -> None:
    long = "the reason is told at the very end " * 10
    failed = HostReport(host="a", outcome="failed", error=long)
    report = Report(purpose="apply", run="r1", hosts={"a": failed}, seconds=1)
    for value in (plan_of(HostPlan(host="a", error=long)), report):
        assert "style=" not in html_of(value)
        assert long in html_of(value)


def test_results_draw_themselves_in_a_notebook_and_nothing_is_imported_for_it() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    from fedikit.display.notebook import register

    shell = InteractiveShell()
    register(shell)
    assert shell.display_formatter
    bundle, _ = shell.display_formatter.format(plan_of(HostPlan(host="social", same=3)))
    assert "nothing to change" in bundle["text/plain"]
    assert bundle["text/html"].startswith('<div class="fk-shown"><style>')
    assert not hasattr(Plan, "_repr_mimebundle_"), "a value knows nothing of drawing"


def test_a_kernel_that_imports_fedikit_shows_plans() -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell; shell = InteractiveShell.instance()\n"
        "import sys, fedikit; assert 'rich' not in sys.modules\n"
        "plan = fedikit.Plan(purpose='apply', deployment={'name': 'home', 'hosts': {}}, hosts={})\n"
        "print(shell.display_formatter.format(plan)[0]['text/plain'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "0 hosts would change" in done.stdout, done.stderr


def test_what_is_refused_comes_first_and_what_stays_is_said_with_its_reason() -> None:
    server = PlannedChange(id="package:postgresql", action="release", reasons=("serves the database wiki",))
    refusing = HostPlan(
        host="one",
        changes=(server,),
        refused=("the domain of app would change",),
        staying_packages={"libpq5": "is needed by psql"},
        leaving_packages=("jq",),
    )
    text = shown(plan_of(refusing))
    assert text.index("✗ the domain of app would change") < text.index("= package   postgresql")
    assert "= package   postgresql  serves the database wiki, stays" in text
    assert "= package   libpq5  is needed by psql, stays" in text
    assert "- package   jq  nobody asks for it any more" in text
    assert "nothing is changed while something is refused" in " ".join(text.split())


def test_a_browser_does_not_break_an_option_behind_its_hyphens() -> None:
    assert styled("go back: fedikit migrate --back", "green") == (
        '<span class="fk-green">go back: fedikit migrate <span class="fk-word">--back</span></span>'
    )
    assert styled("- <b>-<i>") == '- <span class="fk-word">&lt;b&gt;-&lt;i&gt;</span>'
