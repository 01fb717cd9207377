"""What data and other servers know a deployment by: it changes by consent, or not at all."""

import pytest

from fedikit.display.drawing import lines_of
from fedikit.model.deployment import Deployment
from fedikit.model.item import Directory, File, Item, Job, SecretRef, SecretText
from fedikit.plan import make_plan
from fedikit.results.identity import refusals
from tests.remote.conftest import KEY, Stage, Staged, noting, tree_of

DATA = Directory(path="/srv/data", data=True)
OTHER_KEY = "6" * 64
PERMANENT = SecretRef(name="app/encryption", permanent=True)
PASSWORD = SecretRef(name="app/password")


def env(*secrets: SecretRef) -> File:
    parts = [part for secret in secrets for part in (f"{secret.name}=", secret, "\n")]
    return File(path="/etc/app.env", content=SecretText(parts=tuple(parts)), mode="0600")


ENV_OF_APP = env(PASSWORD)


def known_by(stage: Stage, domain: str, *items: Item, **others: tuple[Item, ...]):  # type: ignore[no-untyped-def]
    return stage.wants({"app": domain}, one=items, **others)


def with_key(staged: Staged, key: str, *names: str) -> Stage:
    return staged(*(names or ("one",)), key=key)


def test_another_domain_is_refused_where_data_is(staged: Staged) -> None:
    stage = staged("one", "two")
    stage.bring(known_by(stage, "old.example", DATA))
    before = tree_of(stage["one"]), tree_of(stage["two"])
    plan = make_plan(known_by(stage, "new.example", DATA, env(PASSWORD), two=(env(PASSWORD),)))
    (words,) = plan.hosts["one"].refused
    assert "the domain of app would change from old.example to new.example" in words
    assert "--consent new.example" in words
    report = stage.bring(known_by(stage, "new.example", DATA, env(PASSWORD), two=(env(PASSWORD),)))
    assert report.hosts["one"].outcome == "failed"
    assert report.hosts["two"].outcome == "skipped"
    assert (tree_of(stage["one"]), tree_of(stage["two"])) == before


def test_another_domain_is_taken_where_it_is_consented_to_by_name(stage: Stage) -> None:
    stage.bring(known_by(stage, "old.example", DATA))
    wanted = known_by(stage, "new.example", DATA, env(PASSWORD))
    assert not stage.bring(wanted, consent=["another.example"]).succeeded
    assert stage.bring(wanted, consent=["new.example"]).succeeded
    assert make_plan(wanted).is_noop
    assert make_plan(known_by(stage, "old.example", DATA)).is_refused


def test_another_domain_is_an_ordinary_change_where_no_data_is(stage: Stage) -> None:
    stage.bring(known_by(stage, "old.example", env(PASSWORD)))
    assert stage.bring(known_by(stage, "new.example", env(PASSWORD), File(path="/etc/a", content="a"))).succeeded


def test_kept_data_remembers_its_domain(stage: Stage) -> None:
    stage.bring(known_by(stage, "old.example", DATA))
    assert stage.remove().succeeded
    assert make_plan(known_by(stage, "new.example", DATA)).is_refused
    assert not make_plan(known_by(stage, "old.example", DATA)).is_refused


def test_purged_data_has_no_domain_any_more(stage: Stage) -> None:
    stage.bring(known_by(stage, "old.example", DATA))
    assert stage.remove(purge=True).succeeded
    assert stage.bring(known_by(stage, "new.example", DATA)).succeeded


def test_a_rollback_goes_back_to_the_former_domain(stage: Stage) -> None:
    stage.bring(known_by(stage, "old.example", DATA))
    stage.bring(known_by(stage, "new.example", DATA, env(PASSWORD)), consent=["new.example"])
    assert stage.rollback().succeeded
    assert not make_plan(known_by(stage, "old.example", DATA)).is_refused


@pytest.mark.parametrize("secret", [PERMANENT, PASSWORD], ids=["permanent", "ordinary"])
def test_another_master_key_is_refused_on_all_hosts(staged: Staged, secret: SecretRef) -> None:
    stage = with_key(staged, KEY, "one", "two")
    stage.apply(one=[DATA, env(secret)], two=[env(secret)])
    before = tree_of(stage["one"]), tree_of(stage["two"])
    other = with_key(staged, OTHER_KEY, "one", "two")
    plan = other.plan(one=[DATA, env(secret)], two=[env(secret)])
    (words,) = plan.hosts["one"].refused
    assert "was deployed with another master key" in words
    assert "Restore the copy of that key" in words
    assert ("app/encryption" in words) is secret.permanent
    assert not other.apply(one=[DATA, env(secret)], two=[env(secret)]).succeeded
    assert (tree_of(stage["one"]), tree_of(stage["two"])) == before


def test_another_master_key_can_be_consented_to_unless_something_permanent_hangs_on_it(staged: Staged) -> None:
    with_key(staged, KEY).apply(one=[DATA, env(PASSWORD)])
    other = with_key(staged, OTHER_KEY)
    assert other.bring(other.wants(one=[DATA, env(PASSWORD)]), consent=["master key"]).succeeded
    assert not other.plan(one=[DATA, env(PASSWORD)]).is_refused


def test_the_old_key_put_back_is_welcome(staged: Staged) -> None:
    with_key(staged, KEY).apply(one=[DATA, env(PERMANENT)])
    assert with_key(staged, OTHER_KEY).plan(one=[DATA, env(PERMANENT)]).is_refused
    assert with_key(staged, KEY).plan(one=[DATA, env(PERMANENT)]).is_noop


def test_a_permanent_secret_that_was_given_otherwise_is_refused_by_name() -> None:
    had = {"master key": "m", "secret app/encryption": "1"}
    (words,) = refusals(had, had | {"secret app/encryption": "2"}, consent=["app/encryption", "2"])
    assert words.startswith("the permanent secret app/encryption would change")


def test_what_hosts_note_of_secrets_is_no_secret(stage: Stage) -> None:
    stage.apply(one=[DATA, env(PERMANENT)])
    value = stage["one"].path("/etc/app.env").read_text().strip().removeprefix("app/encryption=")
    ledger = stage["one"].path("/var/lib/fedikit/deployments/stage/ledger.json").read_text()
    assert "secret app/encryption" in ledger
    assert value not in ledger


# What moves to another host


def moving(stage: Stage, host: str, *, others: tuple[Item, ...] = ()) -> Deployment:
    """The application `app`, with its data, is placed on that host."""
    deployment = stage.wants(**{host: (DATA, env(PASSWORD), *others)})
    state = deployment.hosts[host].model_copy(update={"applications": ("app",)})
    return deployment.model_copy(update={"hosts": {**deployment.hosts, host: state}})


def test_an_application_that_would_begin_anew_elsewhere_is_refused_and_says_that_data_does_not_follow(
    pair: Stage,
) -> None:
    assert pair.bring(moving(pair, "one")).succeeded
    plan = make_plan(moving(pair, "two"))
    (words,) = plan.hosts["two"].refused
    assert "the directory /srv/data stays on one with all that is in it" in words
    assert "data does not follow" in words
    assert words.endswith("--consent app")
    before = tree_of(pair["one"])
    assert not pair.bring(moving(pair, "two")).succeeded
    assert tree_of(pair["one"]) == before


def test_with_consent_it_begins_anew_and_the_old_data_is_kept(pair: Stage) -> None:
    pair.bring(moving(pair, "one"))
    pair["one"].path("/srv/data/picture").write_text("x")
    plan = make_plan(moving(pair, "two"), consent=["app"])
    assert not plan.is_refused
    assert "data does not follow" in "\n".join(lines_of(plan, width=1000))
    assert pair.bring(moving(pair, "two"), consent=["app"]).succeeded
    assert pair["one"].path("/srv/data/picture").read_text() == "x"
    assert make_plan(moving(pair, "two")).is_noop


def test_an_application_leaves_its_old_host_only_after_it_is_on_the_new_one(pair: Stage) -> None:
    pair.bring(moving(pair, "one"))
    finished: list[str] = []
    pair.bring(moving(pair, "two"), consent=["app"], tell=noting(finished))
    assert finished == ["two", "one"]


@pytest.mark.parametrize("fault", ["fails", "is down"])
def test_it_stays_on_its_old_host_if_the_new_one_cannot_have_it(pair: Stage, fault: str) -> None:
    pair.bring(moving(pair, "one"))
    before = tree_of(pair["one"])
    if fault == "is down":
        pair["two"].root.rename(pair.folder / "gone")
        pair["two"].root.write_text("nothing answers here")
    broken = () if fault == "is down" else (Job(name="bad", run=("nothing",)),)
    report = pair.bring(moving(pair, "two", others=broken), consent=["app"])
    assert report.hosts["one"].outcome == "skipped"
    assert report.hosts["two"].outcome == "failed"
    assert tree_of(pair["one"]) == before
