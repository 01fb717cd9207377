"""The check of buckets against an S3 that verifies signatures, a media host, and a host's Python as a process."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest
from pydantic import SecretBytes, SecretStr

from fedikit.errors import ConnectionFailed
from fedikit.model.check import BucketWorks
from fedikit.model.host import Local
from fedikit.model.item import SecretRef
from fedikit.secrets import MasterKey, Vault
from fedikit.verify.errand import MARK
from fedikit.verify.standpoint import Answer, Request, Send, _answer_in, _program, stand_at
from fedikit.verify.words import Unmet

from .conftest import DOMAIN, Seen, Site, Verifier
from .conftest import Answer as PageAnswer
from .s3 import S3StandIn

KEY = (SecretRef(name="probe/bucket-key", format="garage-key-id"), SecretRef(name="probe/bucket-key", format="hex64"))
VAULT = Vault(MasterKey(SecretBytes(bytes(32))), {"s3/secret-key": SecretStr("secret/of a+provider")})
ID, SECRET = map(VAULT.value, KEY)


@pytest.fixture(autouse=True)
def _one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check waits for a second attempt, for the pause before it would not fit into the deadline."""
    monkeypatch.setattr("fedikit.verify.run._FIRST_PAUSE", 60)


@pytest.fixture
def s3() -> Iterator[S3StandIn]:
    server = S3StandIn("probe", "garage", {ID: SECRET})
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.leave.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def media(site: Site, s3: S3StandIn) -> Site:
    """Serves the objects of the bucket, as a web server before Garage does."""

    class Objects(dict[str, Callable[[Seen], PageAnswer]]):
        def get(self, path: str, default: Any = None) -> Any:
            found = s3.objects.get(path.lstrip("/"))
            return super().get(path) or (default if found is None else lambda seen: (200, {}, found))

    site.pages = Objects()
    return site


@pytest.fixture
def verifier(verifier: Verifier) -> Verifier:
    verifier.vault = VAULT
    return verifier


def check(s3: S3StandIn, media: Site | None = None, **changes: Any) -> BucketWorks:
    public = {"public_host": DOMAIN, "port": media.server_port} if media else {}
    usual = {"application": "probe", "host": "one", "endpoint": s3.address, "region": "garage", "bucket": "probe"}
    keys = {"key_id": KEY[0], "key_secret": KEY[1], "deadline": 5}
    return BucketWorks.model_validate(usual | keys | public | changes)


def test_an_object_comes_back_to_the_application_and_to_browsers_and_is_deleted(
    verifier: Verifier, s3: S3StandIn, media: Site
) -> None:
    seen = verifier.held(check(s3, media))
    assert seen == f"put, read back, seen at https://{DOMAIN}:{media.server_port}, deleted"
    assert s3.asked == ["PUT", "GET", "DELETE"]
    assert s3.objects == {}
    (visit,) = media.seen
    assert visit.path.startswith("/fedikit-check/")


def test_nobody_visits_a_bucket_that_is_not_public(verifier: Verifier, s3: S3StandIn, media: Site) -> None:
    assert verifier.held(check(s3)) == "put, read back, deleted"
    assert media.seen == []


def test_the_key_of_a_provider_is_written_and_its_secret_given(verifier: Verifier, s3: S3StandIn) -> None:
    s3.keys["AKIA1"] = "secret/of a+provider"
    given = SecretRef(name="s3/secret-key", given=True)
    verifier.held(check(s3, key_id="AKIA1", key_secret=given))


def test_a_key_that_was_deleted_is_refused_and_said_to_be(verifier: Verifier, s3: S3StandIn, media: Site) -> None:
    s3.keys.clear()
    assert verifier.seen(check(s3, media)) == (
        "wanted a bucket probe that takes an object, saw the bucket refuses the application's key: AccessDenied"
    )


def test_a_key_with_another_secret_is_refused(verifier: Verifier, s3: S3StandIn) -> None:
    s3.keys[ID] = "another"
    assert "the bucket refuses the application's key: SignatureDoesNotMatch" in verifier.seen(check(s3))


def test_nothing_of_the_key_is_said(verifier: Verifier, s3: S3StandIn) -> None:
    """The stand-in repeats what was sent, as S3 does."""
    for verb in ("PUT", "GET", "DELETE"):
        s3.refuses = {verb: (403, "AccessDenied")}
        seen = verifier.seen(check(s3))
        assert ID not in seen
        assert SECRET not in seen
        assert "Signature=" not in seen


def test_a_bucket_that_is_full_is_told_from_a_key_that_is_refused(verifier: Verifier, s3: S3StandIn) -> None:
    s3.refuses["PUT"] = (403, "AccessDenied")
    assert "it lets the application's key read, not write: AccessDenied; is it full?" in verifier.seen(check(s3))


def test_a_bucket_that_is_not_there_is_named(verifier: Verifier, s3: S3StandIn) -> None:
    s3.bucket = "other"
    assert verifier.seen(check(s3)) == "wanted a bucket probe that takes an object, saw NoSuchBucket"


def test_a_bucket_that_does_not_give_back_is_found(verifier: Verifier, s3: S3StandIn) -> None:
    s3.refuses["GET"] = (500, "InternalError")
    assert verifier.seen(check(s3)) == "wanted a bucket probe that gives it back, saw InternalError"
    assert s3.objects == {}


def test_what_cannot_be_deleted_again_is_no_success(verifier: Verifier, s3: S3StandIn) -> None:
    s3.refuses["DELETE"] = (403, "AccessDenied")
    assert verifier.seen(check(s3)).startswith("wanted a bucket probe that deletes it again, saw the bucket refuses")


@pytest.mark.parametrize(
    ("answer", "seen"),
    [((404, b""), "saw HTTP 404 from https://"), ((200, b"a start page"), "saw something else at https://")],
)
def test_a_media_host_that_does_not_show_the_object_fails_and_the_object_goes(
    answer: tuple[int, bytes], seen: str, verifier: Verifier, s3: S3StandIn, site: Site
) -> None:
    class Same(dict[str, Callable[[Seen], PageAnswer]]):
        def get(self, path: str, default: Any = None) -> Any:
            return lambda seen: (answer[0], {}, answer[1])

    site.pages = Same()
    said = verifier.seen(check(s3, site))
    assert said.startswith("wanted the object of bucket probe, ")
    assert seen in said
    assert s3.objects == {}


def test_a_media_host_with_the_certificate_of_nobody_fails_and_the_object_goes(
    verifier: Verifier, s3: S3StandIn, media: Site
) -> None:
    verifier.trust = None
    assert "is not trusted" in verifier.seen(check(s3, media))
    assert s3.objects == {}


def test_a_media_host_that_hangs_leaves_time_to_delete(verifier: Verifier, s3: S3StandIn, media: Site) -> None:
    leave = threading.Event()

    class Slow(dict[str, Callable[[Seen], PageAnswer]]):
        def get(self, path: str, default: Any = None) -> Any:
            leave.wait(10)
            return default

    media.pages = Slow()
    began = time.monotonic()
    seen = verifier.seen(check(s3, media, deadline=1))
    assert time.monotonic() - began < 2
    assert s3.objects == {}, "before the verdict was given"
    leave.set()
    assert "in time" in seen


def test_a_media_host_that_leads_slowly_elsewhere_leaves_time_to_delete(
    verifier: Verifier, s3: S3StandIn, media: Site
) -> None:
    """Each answer is in time, all of them are not."""

    class Slow(dict[str, Callable[[Seen], PageAnswer]]):
        def get(self, path: str, default: Any = None) -> Any:
            time.sleep(0.8)
            return lambda seen: (302, {"Location": seen.path}, b"")

    media.pages = Slow()
    began = time.monotonic()
    seen = verifier.seen(check(s3, media, deadline=1))
    assert time.monotonic() - began < 2
    assert s3.objects == {}, "before the verdict was given"
    assert seen == "wanted the object of bucket probe, saw no answer in time"


def test_an_s3_that_hangs_cannot_outlast_the_deadline(verifier: Verifier, s3: S3StandIn) -> None:
    s3.is_silent.set()
    began = time.monotonic()
    seen = verifier.seen(check(s3, deadline=0.5))
    assert time.monotonic() - began < 2
    assert seen == f"wanted an answer from {s3.address} to one, saw no answer in time"


def test_an_s3_that_is_down_is_said_to_be(verifier: Verifier, s3: S3StandIn, free_port: int) -> None:
    endpoint = f"http://127.0.0.1:{free_port}"
    assert verifier.seen(check(s3, endpoint=endpoint)) == (
        f"wanted an answer from {endpoint} to one, saw connection refused"
    )


def test_a_host_that_cannot_be_reached_is_said_to_be_and_nothing_is_sent(verifier: Verifier, s3: S3StandIn) -> None:
    def stand(host: str) -> AbstractContextManager[Send]:
        raise ConnectionFailed(host, "nobody answers")

    verifier.stand = stand
    assert verifier.seen(check(s3)) == "one: nobody answers"
    assert s3.asked == []


def test_nothing_is_put_when_the_way_to_the_host_took_all_the_time(verifier: Verifier, s3: S3StandIn) -> None:
    @contextmanager
    def stand(host: str) -> Iterator[Send]:
        time.sleep(0.6)
        with stand_at(host, Local()) as send:
            yield send

    verifier.stand = stand
    assert "a way to one in time" in verifier.seen(check(s3, deadline=0.5))
    assert s3.asked == []


def test_an_attempt_that_came_too_late_hides_nothing_of_an_earlier_one(
    verifier: Verifier, s3: S3StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedikit.verify.run._FIRST_PAUSE", 0.1)
    tries = []

    @contextmanager
    def stand(host: str) -> Iterator[Send]:
        tries.append(host)
        if len(tries) == 1:
            raise Unmet(wanted="a bucket", seen="none")
        time.sleep(0.8)
        with stand_at(host, Local()) as send:
            yield send

    verifier.stand = stand
    assert verifier.seen(check(s3, deadline=0.6)) == "wanted a bucket, saw none"
    assert len(tries) > 1


def test_a_missing_master_key_fails_at_once(verifier: Verifier, s3: S3StandIn) -> None:
    verifier.vault = Vault(None, {})
    result = verifier.one(check(s3, deadline=30))
    assert result.seconds < 1
    assert "needs a master key" in result.detail


def test_the_request_is_sent_from_the_host_that_is_named(verifier: Verifier, s3: S3StandIn) -> None:
    asked = []

    def stand(host: str) -> AbstractContextManager[Send]:
        asked.append(host)
        return nullcontext(send_by_process)

    verifier.stand = stand
    assert verifier.held(check(s3)) == "put, read back, deleted"
    assert asked == ["one"]


def send_by_process(request: Request, seconds: float) -> Answer:
    """As a host's Python does it, after a start file has printed a greeting."""
    done = subprocess.run(
        [sys.executable, "-I", "-"], input=_program(request, seconds), capture_output=True, check=True, timeout=30
    )
    return _answer_in(f"Welcome!\n{done.stdout.decode()}".rpartition(MARK)[2], request, "one")


def test_no_secret_travels_to_a_host(verifier: Verifier, s3: S3StandIn) -> None:
    programs = []

    def send(request: Request, seconds: float) -> Answer:
        programs.append(_program(request, seconds).decode())
        return send_by_process(request, seconds)

    verifier.stand = lambda host: nullcontext(send)
    verifier.held(check(s3))
    assert len(programs) == 3
    assert not [program for program in programs if SECRET in program]
    assert all(ID in program for program in programs), "this is how to look for one"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{}",
        "[" * 5000,
        json.dumps({"status": "200", "body": 5}),
        json.dumps({"status": 99, "body": ""}),
        json.dumps({"failed": "\x1b]0;title\x07"}),
        json.dumps({"status": 200, "body": "", "more": 1}),
    ],
)
def test_of_a_host_nothing_is_believed_that_has_not_the_form_of_an_answer(said: str) -> None:
    with pytest.raises(Unmet, match="saw something else than an answer"):
        _answer_in(said, Request("http://a.test", "GET", "/", {}), "one")
