"""The ways to tell: a real relay and a real program on the loopback interface, over TLS too."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fedikit.environment.environment import Environment
from fedikit.environment.policies import Policies
from fedikit.environment.watch import Watch
from fedikit.model.deployment import Network, Secrets
from fedikit.model.host import Local
from fedikit.policies.mail import MailPolicy
from fedikit.watch.finding import Finding, Kind
from fedikit.watch.memory import Memory
from fedikit.watch.message import Change, Message, State
from fedikit.watch.telling import tell_waiting, ways_of
from fedikit.watch.webhook import SIGNATURE
from tests.verify.conftest import Authority
from tests.watch.conftest import Serve, Watched
from tests.watch.hook import Program
from tests.watch.relay import PASSWORD, USER, Relay

ADDRESS, OTHER, SENDER = "admin@example.org", "other@example.org", "fedikit@example.org"
WHAT = "Mästodon does not answer"


def message(what: str = WHAT) -> Message:
    time = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    finding = Finding(key="check:1", kind=Kind.CHECK, what=what, seen="saw “nothing”", todo="look", application="m")
    return Message(
        id="0a1b", environment="stage", time=time, changes=(Change(state=State.BROKEN, finding=finding, since=time),)
    )


@pytest.fixture
def environment(tmp_path: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Environment]:
    """The environment that tells so: environment({"webhook": …}, secret="…", mail=MailPolicy(…))."""
    monkeypatch.chdir(tmp_path)

    def make(rules: dict[str, Any], *, secret: str = "", mail: MailPolicy | None = None) -> Environment:
        file = tmp_path / "given"
        file.write_text(secret)
        file.chmod(0o600)
        given = dict.fromkeys(("mail/password", "watch/webhook"), f"file:{file}") if secret else {}
        return Environment(
            name="stage",
            hosts={"here": Local()},
            secrets=Secrets(given=given),
            policies=Policies(mail=mail or MailPolicy()),
            network=Network(trust=authority.pem.read_text()),
            watch=Watch.model_validate(rules),
        )

    return make


Environments = Callable[..., Environment]


def tell(environment: Environment, *messages: Message, memory: Memory | None = None) -> tuple[Memory, tuple[str, ...]]:
    ways, memory = ways_of(environment), memory or Memory()
    for one in messages or (message(),):
        memory = memory.to_tell(one, tuple(ways))
    return tell_waiting(memory, ways)


def by_mail(relay: Relay, **more: Any) -> dict[str, Any]:
    place = {"host": "localhost", "port": relay.port, "encryption": relay.encryption}
    return {"mail": {"to": ADDRESS, "sender": SENDER, **place, **more}}


# Mail


@pytest.mark.parametrize("encryption", ["starttls", "tls", "none"])
@pytest.mark.parametrize("authentication", ["plain", "login", "cram-md5"])
def test_a_mail_goes_encrypted_and_signed_in(
    environment: Environments, serve: Serve, authority: Authority, encryption: str, authentication: str
) -> None:
    relay = serve(Relay(authority.context("localhost"), encryption=encryption, wants_password=True))
    rules = by_mail(relay, user=USER, authentication=authentication)
    memory, problems = tell(environment(rules, secret=PASSWORD))
    assert (memory.waiting, problems) == ((), ())
    (taken,) = relay.taken
    assert taken.was_encrypted == (encryption != "none")
    assert taken.user == f"{USER} by {authentication.upper()}"


def test_a_mail_reads_well(environment: Environments, serve: Serve, authority: Authority) -> None:
    relay = serve(Relay(authority.context("localhost"), encryption="starttls"))
    tell(environment(by_mail(relay)))
    mail = relay.taken[0].mail
    assert (mail["Subject"], mail["From"], mail["To"]) == (f"fedikit stage: {WHAT}", SENDER, ADDRESS)
    assert (mail.get_content_type(), mail["Auto-Submitted"]) == ("text/plain", "auto-generated")
    assert mail["Message-ID"] == "<0a1b@example.org>"
    assert "saw “nothing”" in mail.get_content()


def test_mail_goes_by_the_relay_of_the_policy_if_no_other_is_named(
    environment: Environments, serve: Serve, authority: Authority
) -> None:
    relay = serve(Relay(authority.context("localhost"), encryption="tls", wants_password=True))
    policy = MailPolicy(host="localhost", port=relay.port, encryption="tls", user=USER, sender="policy@example.org")
    tell(environment({"mail": {"to": [ADDRESS]}}, secret=PASSWORD, mail=policy))
    assert relay.taken[0].mail["From"] == "policy@example.org"


def test_nothing_goes_where_the_certificate_is_anothers(
    environment: Environments, serve: Serve, authority: Authority
) -> None:
    relay = serve(Relay(authority.context("elsewhere.example"), encryption="starttls", wants_password=True))
    memory, problems = tell(environment(by_mail(relay, user=USER), secret=PASSWORD))
    assert len(memory.waiting) == 1
    assert "no TLS with localhost" in problems[0]
    assert relay.taken == []


def test_nothing_goes_in_clear_where_encryption_is_wanted(
    environment: Environments, serve: Serve, authority: Authority
) -> None:
    relay = serve(Relay(authority.context("localhost"), encryption="none", wants_password=True))
    rules = by_mail(relay, user=USER, encryption="starttls")
    memory, problems = tell(environment(rules, secret=PASSWORD))
    assert (len(memory.waiting), relay.taken) == (1, [])
    assert "STARTTLS" in problems[0]


def test_a_relay_that_repeats_the_password_betrays_nothing(
    environment: Environments, serve: Serve, authority: Authority
) -> None:
    relay = serve(Relay(authority.context("localhost"), encryption="starttls", wants_password=True))
    relay.says_password = True
    _, problems = tell(environment(by_mail(relay, user="somebody"), secret=PASSWORD))
    assert "wrong password •••" in problems[0]
    assert PASSWORD not in problems[0]


def test_a_password_beyond_ascii_is_refused_in_words(
    environment: Environments, serve: Serve, authority: Authority
) -> None:
    relay = serve(Relay(authority.context("localhost"), encryption="starttls", wants_password=True))
    _, problems = tell(environment(by_mail(relay, user=USER), secret="geheimnisträger"))
    assert "beyond ASCII" in problems[0]
    assert "geheim" not in problems[0]


def test_what_a_relay_does_not_take_goes_later_and_to_nobody_twice(
    environment: Environments, serve: Serve, authority: Authority
) -> None:
    relay = serve(Relay(authority.context("localhost"), encryption="starttls"))
    relay.refused = {OTHER}
    told = environment(by_mail(relay, to=[ADDRESS, OTHER]))
    memory, problems = tell(told)
    assert [taken.recipients for taken in relay.taken] == [[ADDRESS]]
    assert "nobody is called so" in problems[0]

    relay.refused = set()
    memory, problems = tell_waiting(memory, ways_of(told))
    assert [taken.recipients for taken in relay.taken] == [[ADDRESS], [OTHER]]
    assert (memory.waiting, problems) == ((), ())


def test_what_waits_is_told_in_its_order(environment: Environments, serve: Serve, authority: Authority) -> None:
    relay = serve(Relay(authority.context("localhost"), encryption="starttls"))
    relay.is_full = True
    told = environment(by_mail(relay))
    memory, problems = tell(told, message("first"), message("second"))
    assert problems == (
        f"mail to {ADDRESS}: localhost:{relay.port} takes no mail from {SENDER}: no room\\x1b[31m for now",
    )
    relay.is_full = False
    memory, _ = tell(told, message("third"), memory=memory)
    subjects = [taken.mail["Subject"].rpartition(" ")[2] for taken in relay.taken]
    assert (subjects, memory.waiting) == (["first", "second", "third"], ())


def test_who_is_no_longer_named_is_not_waited_for(environment: Environments, free_port: int) -> None:
    memory, _ = tell(environment({"webhook": {"url": f"http://127.0.0.1:{free_port}/"}}))
    assert tell_waiting(memory, {}) == (Memory(), ())


def test_a_secret_that_is_not_there_is_said(environment: Environments, tmp_path: Any) -> None:
    told = environment({"webhook": {"url": "http://127.0.0.1:1/", "secret": "watch/webhook"}}, secret="gone")
    (tmp_path / "given").unlink()
    _, problems = tell(told)
    assert "the secret watch/webhook" in problems[0]


# Programs


def test_a_program_is_told_in_json_that_is_signed(
    environment: Environments, serve: Serve, authority: Authority
) -> None:
    program = serve(Program(authority.context("localhost")))
    url = program.url.replace("127.0.0.1", "localhost")
    memory, problems = tell(environment({"webhook": {"url": url, "secret": "watch/webhook"}}, secret="a secret"))
    assert (memory.waiting, problems) == ((), ())
    ((body, headers),) = program.told
    assert headers[SIGNATURE] == f"sha256={hmac.new(b'a secret', body, hashlib.sha256).hexdigest()}"
    assert json.loads(body) == {
        "format": 1,
        "id": "0a1b",
        "environment": "stage",
        "time": "2026-03-01T12:00:00+00:00",
        "subject": f"fedikit stage: {WHAT}",
        "changes": [
            {
                "state": "broken",
                "since": "2026-03-01T12:00:00+00:00",
                "key": "check:1",
                "kind": "check",
                "what": WHAT,
                "seen": "saw “nothing”",
                "todo": "look",
                "host": "",
                "application": "m",
            }
        ],
        "remaining": [],
    }


def test_without_a_secret_nothing_is_signed(environment: Environments, serve: Serve) -> None:
    program = serve(Program())
    tell(environment({"webhook": {"url": program.url}}))
    assert SIGNATURE not in program.told[0][1]


def test_a_redirect_is_not_followed(environment: Environments, serve: Serve) -> None:
    program = serve(Program())
    program.statuses = [307]
    memory, problems = tell(environment({"webhook": {"url": program.url}}))
    assert problems == (f"webhook: the webhook at 127.0.0.1:{program.server_port} took no message: HTTP 307",)
    assert (program.asked, program.told, len(memory.waiting)) == (["/hooks/secret-path"], [], 1)


@pytest.mark.parametrize(
    ("statuses", "asked", "waiting"), [([500], 2, 0), ([503, 502], 2, 1), ([404], 1, 1), ([503] * 9, 2, 1)]
)
def test_a_program_in_trouble_is_asked_twice_and_then_at_the_next_look(
    environment: Environments, serve: Serve, statuses: list[int], asked: int, waiting: int
) -> None:
    program = serve(Program())
    program.statuses = statuses
    memory, _ = tell(environment({"webhook": {"url": program.url}}))
    assert (len(program.asked), len(memory.waiting)) == (asked, waiting)


def test_an_authority_that_nobody_trusts_is_refused_and_the_address_not_repeated(
    environment: Environments, serve: Serve, tmp_path: Any
) -> None:
    program = serve(Program(Authority(tmp_path).context("localhost")))
    url = program.url.replace("127.0.0.1", "localhost")
    _, problems = tell(environment({"webhook": {"url": url}}))
    assert "localhost" in problems[0]
    assert "secret-path" not in problems[0]
    assert program.told == []


def test_a_program_that_is_not_there_is_said(environment: Environments, free_port: int) -> None:
    _, problems = tell(environment({"webhook": {"url": f"http://127.0.0.1:{free_port}/hooks/secret-path"}}))
    assert problems == (
        f"webhook: the webhook at 127.0.0.1:{free_port} took no message: connection refused by 127.0.0.1:{free_port}",
    )


def test_a_look_tells_by_all_ways_and_what_did_not_go_fails_it_until_it_went(
    watched: Watched, serve: Serve, authority: Authority
) -> None:
    relay = serve(Relay(authority.context("localhost"), encryption="starttls"))
    program = serve(Program())
    watched.trust = authority.pem.read_text()
    watched.rules = by_mail(relay) | {"webhook": {"url": program.url}}
    relay.is_full = True
    watched.answers(500)

    outcome = watched.look()
    assert (outcome.waiting, outcome.has_succeeded, len(program.told)) == (1, False, 1)
    relay.is_full = False
    outcome = watched.look()
    assert (outcome.told, outcome.waiting, outcome.has_succeeded) == (None, 0, True)
    assert relay.taken[0].mail["Subject"] == "fedikit stage: app-one does not answer"
    assert len(program.told) == 1
