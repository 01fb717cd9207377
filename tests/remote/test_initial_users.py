"""Another initial user, or another address: what applications cannot do is said when planning, and who stays."""

import pytest

from fedikit.display.drawing import lines_of
from fedikit.environment.environment import Environment
from fedikit.environment.load import load_catalogue
from fedikit.model.account import Account
from fedikit.model.configuration import configuration_model
from fedikit.model.deployment import Deployment
from fedikit.model.item import File
from fedikit.panel.said import said
from fedikit.panel.texts import Texts
from fedikit.plan import make_plan
from fedikit.results.plan import HostPlan
from tests.remote.conftest import Stage

ADDRESS = "test@fedi.example"


def wanted(stage: Stage, application: str, username: str = "test", email: str = ADDRESS) -> Deployment:
    """What the installed application says of its initial user, beside a file that tells one wish from another."""
    catalogue = load_catalogue()
    user = {"displayName": "Testy", "username": username, "email": email}
    model = configuration_model(catalogue)
    document = {"domain": "fedi.example", "initialUser": user, application: {"enable": True}}
    accounts = catalogue[application].accounts(model.model_validate(document).context)
    deployment = stage.wants(one=[File(path="/etc/a", content=f"{username} {email}\n")])
    state = deployment.hosts["one"].model_copy(update={"accounts": accounts})
    return deployment.model_copy(update={"hosts": {"one": state}})


def planned(stage: Stage, *given: str, consent: tuple[str, ...] = ()) -> HostPlan:
    return make_plan(wanted(stage, *given), consent=consent).hosts["one"]


WITH_ADDRESSES = ["gotosocial", "mastodon", "peertube", "pixelfed"]


@pytest.mark.parametrize("application", WITH_ADDRESSES)
def test_another_name_with_another_address_is_said_and_who_stays_with_which_rights(
    stage: Stage, application: str
) -> None:
    assert stage.bring(wanted(stage, application)).succeeded
    plan = planned(stage, application, "other", "other@fedi.example")
    rights = "the owner" if application == "mastodon" else "an administrator"
    (words,) = plan.people
    assert f"the initial user of {application} becomes other, {rights} too" in words
    assert f"test stays {rights}, with the password as it was" in words
    assert plan.is_changeable
    assert f"! {words}" in "\n".join(
        lines_of(make_plan(wanted(stage, application, "other", "other@fedi.example")), 1000)
    )


@pytest.mark.parametrize("application", WITH_ADDRESSES)
def test_another_name_with_the_same_address_is_refused_unless_it_is_free_by_now(stage: Stage, application: str) -> None:
    assert stage.bring(wanted(stage, application)).succeeded
    (words,) = planned(stage, application, "other").refused
    assert f"would change from test to other with the same address, {ADDRESS}, and no two can have one" in words
    assert planned(stage, application, "other", consent=("other",)).is_changeable


@pytest.mark.parametrize("application", ["mastodon", "peertube", "pixelfed", "snac"])
def test_another_address_is_an_ordinary_change(stage: Stage, application: str) -> None:
    assert stage.bring(wanted(stage, application)).succeeded
    plan = planned(stage, application, "test", "new@fedi.example")
    assert (plan.refused, plan.people) == ((), ())
    assert plan.is_changeable


def test_another_address_in_gotosocial_is_refused_until_its_user_has_it(stage: Stage) -> None:
    assert stage.bring(wanted(stage, "gotosocial")).succeeded
    (words,) = planned(stage, "gotosocial", "test", "new@fedi.example").refused
    assert "only gotosocial itself can change it: let test do it there first" in words
    there = wanted(stage, "gotosocial", "test", "new@fedi.example")
    assert stage.bring(there, consent=["new@fedi.example"]).succeeded
    assert make_plan(there).is_noop


def test_snac_has_a_second_user_by_the_same_address(stage: Stage) -> None:
    assert stage.bring(wanted(stage, "snac")).succeeded
    plan = planned(stage, "snac", "other")
    assert plan.refused == ()
    assert "test stays a user" in plan.people[0]


def test_it_is_said_once(stage: Stage) -> None:
    assert stage.bring(wanted(stage, "snac")).succeeded
    assert stage.bring(wanted(stage, "snac", "other")).succeeded
    assert planned(stage, "snac", "other").people == ()


@pytest.mark.parametrize("application", [*WITH_ADDRESSES, "snac", "hello"])
def test_a_deployment_knows_its_accounts(application: str, stage: Stage) -> None:
    accounts = wanted(stage, application).hosts["one"].accounts
    assert list(accounts) == ([] if application == "hello" else [application])
    assert all(isinstance(account, Account) and account.username == "test" for account in accounts.values())


def test_an_environment_places_accounts_with_their_application(stage: Stage) -> None:
    hosting = Environment.model_validate(
        {**stage.environment.model_dump(), "placement": {"snac": ["one"]}, "policies": {"web": {}}}
    )
    document = {"domain": "fedi.example", "initialUser": {"displayName": "T", "username": "t", "email": ADDRESS}}
    chosen = configuration_model(load_catalogue()).model_validate({**document, "snac": {"enable": True}})
    assert hosting.deployment(chosen).hosts["one"].accounts["snac"].username == "t"


def test_the_panel_says_it_in_its_operators_language(stage: Stage) -> None:
    text = Texts("de")
    assert stage.bring(wanted(stage, "gotosocial")).succeeded
    other = planned(stage, "gotosocial", "other", "other@fedi.example").people
    same = planned(stage, "gotosocial", "other").refused
    address = planned(stage, "gotosocial", "test", "new@fedi.example").refused
    for words in (*other, *same, *address):
        assert "gotosocial" in said(words, text=text)
        assert "initial user" not in said(words, text=text)
        assert "would change" not in said(words, text=text)
