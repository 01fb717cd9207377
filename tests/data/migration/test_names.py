"""Names led to the new side: at a real BIND in one update, or by somebody's hand; nobody else's are taken."""

from collections.abc import Callable

import pytest

from fedikit.data.migration.names import lead_names
from fedikit.dns.plan import apply_dns_plan, make_dns_plan
from fedikit.environment.environment import Environment
from fedikit.errors import DnsRefused, FedikitError
from fedikit.events import Event, Waiting, tell_nobody
from fedikit.model.deployment import Deployment, Network
from tests.dns.conftest import ZONE, Bind, bind, running, wanting  # noqa: F401

SNAC, MEDIA, OTHER = (f"{name}.{ZONE}" for name in ("snac", "media", "www"))
INDEX = f"_fedikit.{ZONE}"
THERE, HERE, ELSEWHERE = "192.0.2.1", "192.0.2.9", "198.51.100.7"
Lead = Callable[..., None]


def deployed(bind: Bind, environment: Environment, *records: tuple[str, str]) -> Deployment:  # noqa: F811
    """The deployment, whose checks ask the server that is tested with."""
    network = Network.model_construct(dns=f"127.0.0.1:{bind.port}")
    return wanting(environment, *records).model_copy(update={"network": network})


@pytest.fixture
def old(bind: Bind) -> Deployment:  # noqa: F811
    return deployed(bind, bind.environment("old"), (SNAC, THERE), (MEDIA, THERE))


@pytest.fixture
def lead(bind: Bind, old: Deployment) -> Lead:  # noqa: F811
    """Leads both names from the old side to the new one."""

    def lead(*, by_hand: bool = False, seconds: float = 0, tell: Callable[[Event], None] = tell_nobody) -> None:
        hosting = bind.environment("new")
        new = deployed(bind, hosting, (SNAC, HERE), (MEDIA, HERE))
        chosen = hosting.model_copy(update={"dns": None}) if by_hand else hosting
        lead_names(chosen, new, leaving=old, seconds=seconds, tell=tell)

    return lead


def bring(bind: Bind, name: str, *records: tuple[str, str]) -> None:  # noqa: F811
    environment = bind.environment(name)
    apply_dns_plan(environment, make_dns_plan(environment, wanting(environment, *records)))


def serial(bind: Bind) -> int:  # noqa: F811
    return int(bind.ask(ZONE, "SOA")[0].split()[2])


def owners(bind: Bind) -> dict[str, str]:  # noqa: F811
    found = (text.strip('"').split() for text in bind.ask(INDEX, "TXT"))
    return {name.removeprefix("name="): environment.removeprefix("environment=") for environment, name, *_ in found}


def test_what_was_the_old_environments_becomes_the_new_ones_in_one_update(bind: Bind, lead: Lead) -> None:  # noqa: F811
    bring(bind, "old", (SNAC, THERE), (MEDIA, THERE), (OTHER, THERE))
    before = serial(bind)
    lead()
    assert [bind.ask(name, "A") for name in (SNAC, MEDIA, OTHER)] == [[HERE], [HERE], [THERE]]
    assert owners(bind) == {SNAC: "new", MEDIA: "new", OTHER: "old"}
    assert serial(bind) == before + 1
    lead()
    assert serial(bind) == before + 1, "again, there is nothing to do"


def test_what_was_set_by_hand_and_leads_to_the_old_hosts_is_taken_along(bind: Bind, lead: Lead) -> None:  # noqa: F811
    bind.set(SNAC, "A", THERE)
    bring(bind, "old", (MEDIA, THERE))
    lead()
    assert (bind.ask(SNAC, "A"), owners(bind)) == ([HERE], {SNAC: "new", MEDIA: "new"})


@pytest.mark.parametrize("leads_to", [(ELSEWHERE,), (THERE, ELSEWHERE)])
def test_what_somebody_set_to_lead_elsewhere_is_not_taken(bind: Bind, lead: Lead, leads_to: tuple[str, ...]) -> None:  # noqa: F811
    bind.set(SNAC, "A", *leads_to)
    bring(bind, "old", (MEDIA, THERE))
    with pytest.raises(DnsRefused, match=SNAC):
        lead()
    assert (bind.ask(SNAC, "A"), bind.ask(MEDIA, "A")) == (sorted(leads_to), [THERE])
    assert owners(bind) == {MEDIA: "old"}


def test_what_is_a_third_environments_is_not_taken_though_it_leads_to_the_old_hosts(bind: Bind, lead: Lead) -> None:  # noqa: F811
    bring(bind, "third", (SNAC, THERE))
    bring(bind, "old", (MEDIA, THERE))
    with pytest.raises(DnsRefused, match=SNAC):
        lead()
    assert (bind.ask(SNAC, "A"), owners(bind)) == ([THERE], {SNAC: "third", MEDIA: "old"})


def test_without_a_server_it_says_what_to_set_and_goes_on_once_somebody_did(bind: Bind, lead: Lead) -> None:  # noqa: F811
    bind.set(SNAC, "A", HERE)
    told: list[str] = []

    def tell(event: Event) -> None:
        assert isinstance(event, Waiting)
        told.append(event.what)
        bind.set(MEDIA, "A", HERE)

    lead(by_hand=True, seconds=20, tell=tell)
    assert told == [f"names to be set: {MEDIA} A {HERE}"]


def test_names_that_nobody_sets_in_time_are_named_in_the_error(bind: Bind, lead: Lead) -> None:  # noqa: F811
    bind.set(SNAC, "A", THERE)
    with pytest.raises(FedikitError, match=f"{MEDIA} A {HERE}, {SNAC} A {HERE}") as caught:
        lead(by_hand=True)
    assert "until then visitors reach the closed side" in caught.value.hint
    assert bind.ask(SNAC, "A") == [THERE]
