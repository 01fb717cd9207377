"""Recipes: what an author writes down, and what it comes to."""

import json
from typing import Annotated, Any

import pytest
from pydantic import Field

from fedikit.environment import Environment
from fedikit.errors import ConfigurationError
from fedikit.model import (
    Configuration,
    Deployment,
    File,
    Job,
    Limits,
    Recipe,
    SecretText,
    Unit,
    Upstream,
    WebApplication,
    WebSettings,
    configuration_model,
)
from fedikit.secrets import secrets_of
from tests.model.example import HOST_KEY

IMAGE = "registry.example.org/blog:v1.2"
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


class BlogSettings(WebSettings):
    """The blog."""

    subdomain: str = "blog"
    """What stands before the domain."""
    is_open: Annotated[bool, Upstream("OPEN", yes="1", no="0")] = False
    """Whether everybody may write."""
    title: Annotated[str, Upstream("TITLE")] = ""
    """Its title."""
    quota_gigabytes: Annotated[int | None, Upstream("QUOTA", times=10**9)] = None
    """How much one may keep."""
    max_megabytes: Annotated[int, Field(ge=1), Upstream("MAX_SIZE", form="{}MiB")] = 40
    """The largest upload."""
    languages: Annotated[tuple[str, ...], Upstream("LANGUAGES", separator=" ")] = ()
    """What is spoken there."""
    rules: Annotated[str, Upstream("Setting rules", writes=False)] = ""
    """What holds there."""


class Blog(WebApplication[BlogSettings]):
    """A blog."""

    name = "blog"
    image = IMAGE
    limits = Limits(
        username="[a-z0-9]{3,}",
        username_words="have three letters or digits",
        reserved=("blog",),
        display_name=10,
        password_bytes=20,
        email="[^%]+",
        email_words="have no %",
    )

    def recipe(self, r: Recipe, s: BlogSettings) -> None:
        if s.title == s.rules != "":
            r.refuse("rules", "should not be the title")
        r.postgresql(env="DB_HOST DB_PORT DB_NAME DB_USER DB_PASS", connections=90)
        r.cache(env="REDIS_HOST REDIS_PORT REDIS_PASSWORD")
        mail = r.mail(needed_for="registrations that are open" if s.is_open else "")
        others, port = r.other_servers(), r.port("web", 3000)
        r.env(EMPTY="", NOTHING=None, SMTP_LOGIN=mail.user, SMTP_AUTH=mail.authentication, CA=others.ca_file)
        r.env(KEY=r.secret("key", "hex64", permanent=True), PROXIES=others.proxies, SITE=r.domain)
        r.env(IS_SMALL=True, IS_LARGE=False, LICENCE=r.secret("licence", given=True))
        r.once("preparation", "/old '/new one'", script="greet.sh")
        r.once("migrations", "make migrate", env={"PHASE": "first"})
        web = r.container("web", "serve --all", port=port, env={"PORT": port.number}, live="/health", ready="/ready")
        r.once("late migrations", "make migrate")
        r.task(web, "greeting", "greet.sh", r.person.username, port.number, stdin=r.password)
        r.site({"/*": port}, buffered=True)
        r.site({}, domain=r.context.domain, redirects={"/.well-known/webfinger": r.domain})
        r.answers("/", contains="blog")
        r.nodeinfo()
        r.webfinger(domain=r.context.domain)


ALICE = {"displayName": "Alice", "username": "alice", "email": "alice@fedi.test"}


def configuration(person: dict[str, str] | None = None, **settings: Any) -> Configuration:
    chosen = {"domain": "fedi.test", "initialUser": ALICE | (person or {}), "blog": {"enable": True, **settings}}
    model: Configuration = configuration_model({"blog": Blog()}).model_validate_json(json.dumps(chosen))
    return model


def deployment(policies: dict[str, Any] | None = None, **settings: Any) -> Deployment:
    web = {"web": {}} | (policies or {})
    host = {"address": "192.0.2.7", "host_key": HOST_KEY}
    written = {"name": "lab", "hosts": {"one": host}, "policies": web, "placement": {"blog": "one"}}
    return Environment.model_validate(written).deployment(configuration(**settings))


def items(policies: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    return {item.id: item for item in deployment(policies, **settings).hosts["one"].items}


def variables(policies: dict[str, Any] | None = None, **settings: Any) -> dict[str, str]:
    """What the containers are told; a secret stands as its name in angle brackets."""
    told = {}
    for id, item in items(policies, **settings).items():
        if id.startswith("file:/etc/fedikit/blog") and id.endswith(".env"):
            text = item.content
            parts = text.parts if isinstance(text, SecretText) else (text,)
            lines = "".join(part if isinstance(part, str) else f"<{part.name}>" for part in parts).splitlines()
            told |= dict(line.split("=", 1) for line in lines)
    return told


def test_what_is_true_or_false_is_spelt_so() -> None:
    assert variables().items() >= {"IS_SMALL": "true", "IS_LARGE": "false"}.items()


def test_a_secret_of_its_own_may_be_made_by_somebody_else() -> None:
    (ref,) = (ref for ref in secrets_of(deployment()) if ref.name == "blog/licence")
    assert ref.given


def test_a_script_may_run_in_a_container_of_its_own() -> None:
    job = items()["job:blog preparation"]

    assert job.run[-3:] == ("make", "/old", "/new one")
    assert job.check[-3:] == ("check", "/old", "/new one")
    assert 'echo "$2"' in job.run[-5]


def refusals(person: dict[str, str] | None = None, **settings: Any) -> set[str]:
    with pytest.raises(ConfigurationError) as refused:
        configuration(person, **settings)
    return {mistake.path for mistake in refused.value.mistakes}


def test_settings_are_spelt_as_upstream_reads_them() -> None:
    told = variables(isOpen=False, title="Ours", quotaGigabytes=2, languages=["de", "en"])

    wanted = {"OPEN": "0", "TITLE": "Ours", "QUOTA": "2000000000", "MAX_SIZE": "40MiB", "LANGUAGES": "de en"}
    assert told.items() >= wanted.items()


def test_what_is_not_set_is_not_written() -> None:
    assert {"TITLE", "QUOTA", "LANGUAGES", "NOTHING", "Setting rules"}.isdisjoint(variables())


def test_what_the_author_says_is_empty_is_written_and_a_fact_that_there_is_not_is_left_out() -> None:
    told = variables()

    assert (told["EMPTY"], told["SMTP_AUTH"], told["PROXIES"]) == ("", "none", "127.0.0.1/32")
    assert {"SMTP_LOGIN", "CA"}.isdisjoint(told)


def test_upstreams_name_is_in_the_schema() -> None:
    properties = BlogSettings.model_json_schema()["properties"]

    assert (properties["maxMegabytes"]["upstream"], properties["rules"]["upstream"]) == ("MAX_SIZE", "Setting rules")
    assert properties["maxMegabytes"]["default"] == 40
    assert properties["quotaGigabytes"]["upstream"] == "QUOTA"


def test_everything_is_made_in_the_order_of_the_recipe() -> None:
    order = list(items())
    wanted = [
        "job:blog migrations",
        "unit:blog-web.service",
        "job:blog-web ready",
        "job:blog late migrations",
        "job:blog greeting",
        "unit:caddy.service",
    ]

    assert [id for id in order if id in wanted] == wanted


def test_a_secret_keeps_the_label_that_the_recipe_gives_it() -> None:
    assert variables()["KEY"] == "<blog/key>"


def test_a_script_beside_the_recipe_runs_in_the_container_and_is_asked_first() -> None:
    job = items()["job:blog greeting"]

    assert isinstance(job, Job)
    assert job.run[:6] == ("podman", "exec", "--interactive", "blog-web", "sh", "-c")
    assert job.run[6].startswith('[ "$1" = check ]')
    assert (job.run[7:], job.check[7:]) == (("sh", "make", "alice", "3000"), ("sh", "check", "alice", "3000"))


def test_ports_are_those_of_upstream_unless_the_provider_allots_others() -> None:
    quadlet = items()["file:/etc/containers/systemd/blog-web.container"]
    moved = items({"port": {"allotted": {"blog-web": 3100}}})

    assert isinstance(quadlet, File)
    assert "http://127.0.0.1:3000/health blog.fedi.test" in str(quadlet.content)
    assert "PORT=3100" in str(moved["file:/etc/containers/systemd/blog-web.container"].content)
    assert "127.0.0.1:3100 {" in str(moved["file:/etc/caddy/sites/blog.fedi.test.caddy"].content)


def test_a_port_that_nobody_names_depends_on_nothing_but_its_name() -> None:
    assert variables()["REDIS_PORT"] == variables(title="other")["REDIS_PORT"]
    assert 6400 <= int(variables()["REDIS_PORT"]) < 6900


def test_what_is_ready_late_gates_no_start() -> None:
    quadlet, job = items()["file:/etc/containers/systemd/blog-web.container"], items()["job:blog-web ready"]

    assert "/ready" not in str(quadlet.content)
    assert (job.run[3:], job.deadline) == (("http://127.0.0.1:3000/ready", "blog.fedi.test", "86310"), 86400)
    assert f"image:{IMAGE}" in job.inputs


def test_further_authorities_reach_the_containers() -> None:
    trusting = items({"web": {"trust": CA}})
    unit, quadlet = trusting["unit:blog-web.service"], trusting["file:/etc/containers/systemd/blog-web.container"]

    assert "Volume=/etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro" in str(quadlet.content)
    assert isinstance(unit, Unit)
    assert "file:/usr/local/share/ca-certificates/fedikit.crt" in unit.restart_on
    assert variables({"web": {"trust": CA}})["CA"] == "/etc/ssl/certs/ca-certificates.crt"
    assert "ca-certificates" not in str(items()["file:/etc/containers/systemd/blog-web.container"].content)


def test_a_path_can_lead_to_the_same_path_of_another_site() -> None:
    site = str(items()["file:/etc/caddy/sites/fedi.test.caddy"].content)

    assert "handle /.well-known/webfinger {\n\t\t\tredir https://blog.fedi.test{uri} permanent\n" in site


def test_proxies_before_the_host_are_believed() -> None:
    web = {"web": {"proxies": ["192.0.2.0/24"]}}

    assert "trusted_proxies 192.0.2.0/24" in str(items(web)["file:/etc/caddy/sites/blog.fedi.test.caddy"].content)
    assert variables(web)["PROXIES"] == "127.0.0.1/32,192.0.2.0/24"


def test_everything_that_upstream_does_not_take_of_a_person_is_told_at_once() -> None:
    person = {"username": "b_b", "displayName": "A name too long", "email": "a%b@fedi.test", "password": "é" * 13}

    fields = {"username", "displayName", "email", "password"}
    assert refusals(person) == {f"initialUser.{field}" for field in fields}
    assert refusals({"username": "blog"}) == {"initialUser.username"}


def test_what_does_not_go_together_is_told_at_its_setting() -> None:
    assert refusals(title="same", rules="same") == {"blog.rules"}


def test_addresses_are_in_small_letters() -> None:
    assert configuration({"email": "Alice@fedi.test"}).initial_user.email == "alice@fedi.test"


def test_what_needs_mail_is_refused_where_there_is_none() -> None:
    with pytest.raises(ConfigurationError, match="needs mail for registrations that are open") as refused:
        deployment(isOpen=True)

    assert [mistake.path for mistake in refused.value.mistakes] == ["policies.mail.host"]
    assert deployment({"mail": {"host": "smtp.example.org"}}, isOpen=True)


def test_a_server_that_takes_too_few_connections_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"may be needed on one \(blog 90\)") as refused:
        deployment({"postgresql": {"max_connections": 94}})

    assert [mistake.path for mistake in refused.value.mistakes] == ["policies.postgresql.max_connections"]
    assert deployment({"postgresql": {"max_connections": 95}})
