"""Objects are read over the connection that is there, and asked for again where that may help."""

from collections.abc import Iterator

import pytest

from fedikit.data.onhost import asking
from fedikit.data.onhost.s3 import Bucket
from fedikit.data.onhost.trouble import Trouble
from tests.data.onhost.storage import NAME, Storage

LARGE = b"0123456789" * 100_000


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.001)
    storage = Storage()
    storage.put("large", LARGE)
    storage.put("small", b"small")
    yield storage
    storage.close()


@pytest.fixture
def bucket(storage: Storage) -> Iterator[Bucket]:
    with Bucket(storage.access, NAME) as bucket:
        yield bucket


def read(bucket: Bucket, key: str) -> bytes:
    with bucket.reading(key) as content:
        return b"".join(iter(lambda: content.read(1 << 16), b""))


def test_objects_are_read_over_one_connection(
    storage: Storage, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[object] = []
    accept = storage.server.get_request
    monkeypatch.setattr(storage.server, "get_request", lambda: came.append(None) or accept())
    assert [read(bucket, key) for key in ("large", "small", "large")] == [LARGE, b"small", LARGE]
    assert [found.key for found in bucket.objects()] == ["large", "small"]
    assert len(came) == 1


def test_what_was_not_read_to_its_end_is_not_taken_for_the_next_answer(bucket: Bucket) -> None:
    with bucket.reading("large") as content:
        assert content.read(10) == b"0123456789"
    assert read(bucket, "small") == b"small"


def test_an_object_is_asked_for_again_while_its_server_is_busy(storage: Storage, bucket: Bucket) -> None:
    storage.answers["GET /media/small"] = [(503, b"SlowDown")] * 2
    assert read(bucket, "small") == b"small"


def test_a_server_that_stays_busy_is_told_with_what_it_said(storage: Storage, bucket: Bucket) -> None:
    storage.answers["GET /media/small"] = [(503, b"SlowDown")] * asking.ATTEMPTS
    with pytest.raises(Trouble, match="refuses GET /media/small with HTTP status 503") as trouble:
        read(bucket, "small")
    assert trouble.value.tail == "SlowDown"


def test_a_listing_begins_after_a_key(bucket: Bucket) -> None:
    assert [found.key for found in bucket.objects("large")] == ["small"]


def test_an_object_that_is_longer_than_was_told_has_an_end(storage: Storage, bucket: Bucket) -> None:
    body = b"5\r\nendle\r\n" * 1000 + b"0\r\n\r\n"
    storage.put("endless", body, transfer_encoding="chunked", content_length="20")
    with pytest.raises(Trouble, match="an object is longer than was told"):
        read(bucket, "endless")
