"""Plans in words, as an operator reads them before they say yes."""

from typing import Any

import pytest

from fedikit.environment import Environment
from fedikit.model import Deployment
from fedikit.panel.texts import Texts
from fedikit.panel.words import PlanInWords, plan_in_words
from fedikit.results.moves import moves_of
from fedikit.results.plan import HostPlan, PlannedChange
from tests.model.example import configuration, environment
from tests.panel.plans import plan_between

ENGLISH, GERMAN = Texts("en"), Texts("de")


@pytest.fixture(scope="module")
def provider() -> Environment:
    return environment(placement={"snac": "spare", "hello": "spare"})


def wanted(provider: Environment, *names: str, **settings: Any) -> Deployment:
    return provider.deployment(configuration(*names, **settings))


def told(before: Deployment, after: Deployment, **more: Any) -> PlanInWords:
    return plan_in_words(plan_between(before, after, **more), text=ENGLISH)


def test_what_comes_is_named_with_its_host_and_what_it_takes(provider: Environment) -> None:
    sent = {"pixelfed": {"bytes_to_send": 380_000_000}}
    plan = plan_between(provider.empty(), wanted(provider, "pixelfed"), hosts=sent)
    words = plan_in_words(plan, text=ENGLISH, seconds=63)
    assert words.changes == ("Pixelfed will keep data on objects", "Pixelfed will be installed on pixelfed")
    assert words.sentence.endswith("Nothing else changes. About one minute; 380 MB to send.")
    assert not words.lost + words.refused + words.kept


def test_a_changed_setting_is_called_as_in_the_form_and_a_restart_is_told(provider: Environment) -> None:
    before = wanted(provider, "mastodon", "snac")
    after = wanted(provider, "mastodon", "snac", mastodon={"webThreads": 9}, snac={"title": "Talk"})
    assert told(before, after).changes == (
        "Mastodon on mastodon: Web threads changes; it restarts",
        "snac on spare: Title changes; it restarts",
    )
    assert plan_in_words(
        plan_between(before, after), text=ENGLISH, changed={"mastodon": ["Rules", "Title"], "snac": ["Title"]}
    ).changes[0] == ("Mastodon on mastodon: Rules and Title change; it restarts")


def test_what_leaves_says_that_its_data_stays(provider: Environment) -> None:
    words = told(wanted(provider, "pixelfed", "snac", "hello"), wanted(provider, "pixelfed"))
    assert words.changes == (
        "snac will be removed from spare; its data stays there",
        "hello will be removed from spare",
    )
    assert words.lost == ()


def test_what_a_purge_destroys_comes_first(provider: Environment) -> None:
    words = told(wanted(provider, "pixelfed", "snac"), wanted(provider, "pixelfed"), purge=True)
    assert words.lost == ("The data of snac on spare will be destroyed: the folder /var/lib/snac2",)
    assert words.changes == ("snac will be removed from spare",)
    assert words.sentence.startswith("The data of snac on spare will be destroyed")


def test_removing_everything_needs_no_configuration_to_know_what_goes(provider: Environment) -> None:
    words = told(wanted(provider, "pixelfed", "snac"), provider.empty(), purpose="remove")
    assert "Pixelfed will be removed from pixelfed; its data stays there" in words.changes
    assert "What Pixelfed keeps on objects stays there" in words.kept


def test_data_that_does_not_follow_is_a_loss_and_says_what_to_do(provider: Environment) -> None:
    elsewhere = environment(placement={"snac": "six"}).deployment(configuration("snac"))
    plan = plan_between(wanted(provider, "snac"), elsewhere)
    moves = moves_of(plan)
    refusing = plan.hosts["six"].model_copy(update={"refused": (f"{moves[0]}. If it is meant: --consent snac",)})
    plan = plan.model_copy(update={"moves": tuple(map(str, moves)), "hosts": plan.hosts | {"six": refusing}})
    words = plan_in_words(plan, text=ENGLISH)
    assert words.lost == (
        "The folder /var/lib/snac2 stays behind on spare; six begins without its data. "
        "Ask your provider to bring it over: fedikit move",
    )
    assert words.refused == ("Nothing is done on six until it was brought over, or you agree to begin anew there",)
    assert words.rest == "Nothing will be changed"


def test_another_version_is_told_and_an_older_one_is_a_risk(provider: Environment) -> None:
    plan = plan_between(wanted(provider, "mastodon"), wanted(provider, "mastodon"))
    image = "image:ghcr.io/mastodon/mastodon"

    def going(was: str, becomes: str) -> PlanInWords:
        changes = (
            PlannedChange(id=f"{image}:{was}", action="delete"),
            PlannedChange(id=f"{image}:{becomes}", action="create"),
        )
        host = HostPlan(host="mastodon", changes=changes)
        return plan_in_words(plan.model_copy(update={"hosts": {"mastodon": host}}), text=ENGLISH)

    assert going("v4.7.3", "v4.7.4").changes == ("Mastodon on mastodon: version v4.7.4 comes for v4.7.3",)
    assert going("v4.7.3", "v4.7.4").lost == ()
    assert "goes back from version v4.7.5 to v4.7.4" in going("v4.7.5", "v4.7.4").lost[0]


def test_a_host_that_cannot_be_asked_says_why_and_what_to_do(provider: Environment) -> None:
    error = "root@10.0.0.6:22 cannot be reached\n  → is the machine up?"
    deployment = wanted(provider, "snac")
    words = told(deployment, deployment, hosts={"spare": {"error": error}})
    assert words.refused == ("spare cannot be asked: root@10.0.0.6:22 cannot be reached; is the machine up?",)


def test_what_was_changed_by_hand_is_told(provider: Environment) -> None:
    deployment = wanted(provider, "snac")
    plan = plan_between(deployment, deployment)
    edited = PlannedChange(id="file:/var/lib/snac2/server.json", action="update", drift=True)
    changed = plan.model_copy(update={"hosts": {"spare": HostPlan(host="spare", changes=(edited,))}})
    assert plan_in_words(changed, text=ENGLISH).changes == (
        "snac on spare: what was changed there by hand is put back",
    )


def test_nothing_to_do_is_said_so(provider: Environment) -> None:
    deployment = wanted(provider, "snac")
    words = told(deployment, deployment)
    assert words.sentence == "Nothing changes: everything is as it should be."


def test_a_plan_reads_in_german(provider: Environment) -> None:
    plan = plan_between(wanted(provider, "pixelfed", "snac"), wanted(provider, "pixelfed"), purge=True)
    assert plan_in_words(plan, text=GERMAN, seconds=130).sentence == (
        "Die Daten von snac auf spare werden vernichtet: der Ordner /var/lib/snac2. snac wird von spare entfernt. "
        "Sonst ändert sich nichts. Etwa 2 Minuten."
    )
