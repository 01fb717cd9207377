"""The kind `bucket`, with a stand-in for Garage; `tests/lab/test_buckets.py` has the real one."""

import hashlib
import hmac
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent.eyes import Eyes
from fedikit.agent.garage import Garage, NotReady, look, wait_for
from fedikit.agent.trouble import Trouble
from tests.agent.conftest import Host
from tests.agent.garage import TOKEN, GarageStandIn

Item = dict[str, Any]
NOBODY = "http://127.0.0.1:9"
TOKEN_FILE = "/etc/admin-token"
KEY = "GK0123456789abcdef01234567 " + "ab" * 32
OTHER_KEY = "GKfedcba987654321001234567 " + "cd" * 32


@pytest.fixture
def garage() -> Iterator[GarageStandIn]:
    stand_in = GarageStandIn()
    yield stand_in
    stand_in.close()


@pytest.fixture
def host(host: Host) -> Host:
    (host.root / TOKEN_FILE.lstrip("/")).write_text(f"{TOKEN}\n")
    return host


class Wanted:
    """Makes bucket items for a host that lie in a Garage."""

    def __init__(self, host: Host, address: str) -> None:
        self.host = host
        self.address = address

    def __call__(self, name: str = "media", *, access: str = KEY, **fields: Any) -> Item:
        self.host.secrets[f"bucket:{name}"] = access
        usual: Item = {"websites": [], "origins": [], "max_bytes": None, "region": "garage", "data": True}
        places = {"admin": self.address, "s3": self.address, "token_file": TOKEN_FILE}
        seal = hmac.new(b"\x00", access.encode(), hashlib.sha256).hexdigest()
        return {"id": f"bucket:{name}", "kind": "bucket", "name": name, "seal": seal, **usual, **places, **fields}


@pytest.fixture
def bucket(host: Host, garage: GarageStandIn) -> Wanted:
    return Wanted(host, garage.address)


def reasons(host: Host, item: Item) -> list[str]:
    (change,) = host.plan(item)["changes"]
    return list(change["reasons"])


def test_a_bucket_is_made_with_its_key_and_then_holds(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    item = bucket(websites=["media.example.org"], origins=["https://example.org"], max_bytes=5000)
    assert host.actions(item) == {item["id"]: "create"}
    assert host.apply(item)[-1]["event"] == "done"
    made = garage.bucket("media")
    assert garage.secret_of("media") == [KEY]
    assert made["globalAliases"] == ["media", "media.example.org"]
    assert made["websiteAccess"]
    assert made["quotas"] == {"maxSize": 5000, "maxObjects": None}
    assert made["corsRules"] == [
        {
            "AllowedMethod": ["GET", "HEAD"], "AllowedHeader": ["*"], "ExposeHeader": ["ETag"], "MaxAgeSeconds": 3600,
            "AllowedOrigin": ["https://example.org"],
        }
    ]  # fmt: skip
    assert host.actions(item) == {}


def test_a_plan_asks_once_for_all_buckets(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    items = bucket("media"), bucket("originals")
    host.apply(*items)
    garage.asked.clear()
    assert host.actions(*items) == {}
    assert garage.asked == ["ListBucketsInfo"]


def test_a_bucket_that_is_there_as_wanted_is_adopted(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    item = bucket()
    host.apply(item)
    shutil.rmtree(host.home)
    assert host.actions(item) == {item["id"]: "adopt"}
    host.secrets.clear()
    assert host.apply(item)[-1]["event"] == "done"
    assert garage.secret_of("media") == [KEY]
    assert host.actions(item) == {}


def test_the_operators_own_key_becomes_ours(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    id, secret = KEY.split()
    garage.call("ImportKey", {}, {"accessKeyId": id, "secretAccessKey": secret, "name": "given"})
    item = bucket()
    host.apply(item)
    assert garage.secret_of("media") == [KEY]
    assert host.actions(item) == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"websiteAccess": True}, "everybody may read it → nobody"),
        ({"corsRules": [{"AllowedOrigin": ["*"]}]}, "which web sites' scripts may read it"),
        ({"quotas": {"maxSize": None, "maxObjects": 3}}, "quota 3 objects → none"),
        ({"globalAliases": ["media", "old.example.org"]}, "is also called old.example.org"),
        ({"keys": []}, "its key has no access"),
    ],
)
def test_what_somebody_changed_is_named_and_mended(
    host: Host, garage: GarageStandIn, bucket: Wanted, change: dict[str, Any], words: str
) -> None:
    item = bucket()
    host.apply(item)
    garage.bucket("media").update(change)
    assert reasons(host, item) == [words]
    assert host.apply(item)[-1]["event"] == "done"
    assert host.actions(item) == {}


def test_rights_that_are_missing_are_named(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    item = bucket()
    host.apply(item)
    garage.bucket("media")["keys"][0]["permissions"]["write"] = False
    assert reasons(host, item) == ["its key has not all rights"]


def test_a_rotated_key_takes_the_place_of_the_former(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    host.apply(bucket())
    rotated = bucket(access=OTHER_KEY)
    assert reasons(host, rotated) == ["its key has no access", "a former key has access"]
    host.apply(rotated)
    assert garage.secret_of("media") == [OTHER_KEY]
    assert garage.buried == {KEY.split()[0]}
    assert host.actions(rotated) == {}


def test_a_former_key_that_opens_another_bucket_is_not_deleted(
    host: Host, garage: GarageStandIn, bucket: Wanted
) -> None:
    host.apply(bucket("media"), bucket("originals"))
    host.apply(bucket("media", access=OTHER_KEY), bucket("originals"))
    assert garage.secret_of("media") == [OTHER_KEY]
    assert garage.secret_of("originals") == [KEY]
    assert garage.buried == set()


def test_keys_of_others_are_left_alone(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    item = bucket()
    host.apply(item)
    made = garage.call("CreateKey", {}, {"name": "backup"})
    rights = {"read": True, "write": True, "owner": True}
    allowed = {"bucketId": garage.bucket("media")["id"], "accessKeyId": made["accessKeyId"], "permissions": rights}
    garage.call("AllowBucketKey", {}, allowed)
    assert host.actions(item) == {}
    host.apply(bucket(access=OTHER_KEY))
    assert made["accessKeyId"] in garage.keys


def test_a_key_that_was_deleted_once_cannot_come_back(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    garage.buried.add(KEY.split()[0])
    trouble = host.apply(bucket())[-1]
    assert trouble["event"] == "trouble"
    assert "never takes an id again that was deleted" in trouble["message"]
    assert "raise the version" in trouble["hint"]
    assert KEY.split()[0] not in str(trouble)


def test_another_secret_for_the_same_id_is_refused(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    host.apply(bucket())
    trouble = host.apply(bucket(access=f"{KEY.split()[0]} {'ef' * 32}"))[-1]
    assert "a key's secret never changes" in trouble["message"]
    assert garage.secret_of("media") == [KEY]


def test_a_name_that_leads_elsewhere_is_refused(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    garage.call("CreateBucket", {}, {"globalAlias": "media.example.org"})
    trouble = host.apply(bucket(websites=["media.example.org"]))[-1]
    assert trouble["message"].startswith("Garage refuses AddBucketAlias: Alias media.example.org already exists")


def test_a_bucket_that_leaves_is_kept(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    host.apply(bucket())
    assert host.actions() == {"bucket:media": "keep"}
    host.remove()
    assert garage.secret_of("media") == [KEY]


def test_a_purge_empties_and_deletes_bucket_and_key(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    host.apply(bucket(websites=["media.example.org"]))
    odd = {"a b+c&d<é>.jpg", "line\nbreak", "carriage\rreturn", "bell\x07", "100%", "tilde~"}
    garage.objects[garage.bucket("media")["id"]] |= odd | {f"many/{number}" for number in range(1500)}
    assert host.remove(purge=True)[-1]["event"] == "done"
    assert garage.buckets == {}
    assert garage.keys == {}


def test_a_purge_brings_back_what_was_before_and_keeps_it(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    before = garage.call("CreateBucket", {}, {"globalAlias": "media"})
    garage.objects[before["id"]].add("precious")
    host.apply(bucket(websites=["media.example.org"], max_bytes=10))
    events = host.remove(purge=True)
    assert any("was there before fedikit" in event.get("kept", "") for event in events)
    assert garage.objects[before["id"]] == {"precious"}
    assert (before["globalAliases"], before["websiteAccess"], before["keys"]) == (["media"], False, [])
    assert before["quotas"]["maxSize"] is None
    assert garage.keys == {}


def test_a_plan_says_that_garage_does_not_answer(host: Host) -> None:
    item = Wanted(host, NOBODY)()
    assert reasons(host, item) == [f"Garage does not answer at {NOBODY}"]
    assert host.actions(item) == {item["id"]: "create"}


def test_a_plan_says_that_there_is_no_token_yet(host: Host, bucket: Wanted) -> None:
    assert reasons(host, bucket(token_file="/etc/none")) == ["there is no /etc/none, which Garage is asked with"]


def test_a_plan_says_that_the_token_is_wrong(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    (host.root / TOKEN_FILE.lstrip("/")).write_text("wrong")
    assert reasons(host, bucket()) == [f"Garage at {garage.address} does not take the token"]


def test_the_data_of_a_silent_garage_counts_as_kept(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    host.apply(bucket())
    garage.is_ready = False
    assert host.actions() == {"bucket:media": "keep"}
    events = host.remove(purge=True)
    assert any("is not ready" in event.get("kept", "") for event in events)


def test_a_garage_that_is_gone_leaves_nothing_to_remove(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    host.apply(bucket())
    (host.root / TOKEN_FILE.lstrip("/")).unlink()
    assert host.remove(purge=True)[-1]["event"] == "done"
    assert not host.home.joinpath("deployments/test/ledger.json").exists()


def test_what_was_there_is_noted_late_if_garage_was_silent_when_planned(
    host: Host, garage: GarageStandIn, bucket: Wanted
) -> None:
    """Garage starts in the same apply: what is in it is seen only then."""
    before = garage.call("CreateBucket", {}, {"globalAlias": "media"})
    key = garage.call("CreateKey", {}, {"name": "theirs"})
    rights = {"read": True, "write": True, "owner": False}
    garage.call("AllowBucketKey", {}, {"bucketId": before["id"], **_id_of(key), "permissions": rights})
    token = host.root / TOKEN_FILE.lstrip("/")
    token.unlink()
    start = host.job("token", f"echo {TOKEN} > {token}")
    host.apply(start, bucket())
    host.remove(purge=True)
    assert garage.bucket("media") == before


def _id_of(key: dict[str, Any]) -> dict[str, str]:
    return {"accessKeyId": key["accessKeyId"]}


def test_neither_ledger_nor_events_hold_the_key(host: Host, garage: GarageStandIn, bucket: Wanted) -> None:
    events = host.apply(bucket())
    rotated = host.apply(bucket(access=OTHER_KEY))
    kept = "".join(path.read_text() for path in host.home.rglob("*.json"))
    assert "bucket:media" in kept
    for secret in (*KEY.split(), *OTHER_KEY.split()):
        assert secret not in kept + str(events) + str(rotated)


def asked_for_media(garage: Garage) -> object:
    return garage.bucket("media")


def test_waiting_for_garage_ends_with_words_that_name_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    item = {"name": "media", "admin": NOBODY, "token_file": "/token"}
    with pytest.raises(Trouble) as caught:
        wait_for(Eyes(str(tmp_path)), item, asked_for_media, seconds=0)
    assert caught.value.message == f"Garage does not answer at {NOBODY}, waited 0 s for it (Connection refused)"


def test_waiting_goes_on_until_garage_has_a_layout(tmp_path: Path, garage: GarageStandIn) -> None:
    (tmp_path / "token").write_text(TOKEN)
    garage.is_ready = False
    with pytest.raises(NotReady, match="is not ready"):
        Garage(garage.address, TOKEN).bucket("media")
    item = {"name": "media", "admin": garage.address, "token_file": "/token"}
    with pytest.raises(Trouble, match="Layout not ready"):
        wait_for(Eyes(str(tmp_path)), item, asked_for_media, seconds=0)
    garage.is_ready = True
    start = time.monotonic()
    assert wait_for(Eyes(str(tmp_path)), item, asked_for_media, seconds=20).bucket("media") is None
    assert time.monotonic() - start < 10


def test_a_garage_that_was_silent_once_is_not_asked_again_until_one_looks_afresh(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    asked: list[Garage] = []
    eyes, item = Eyes(str(tmp_path)), {"admin": NOBODY, "token_file": "/token"}

    def question(garage: Garage) -> object:
        asked.append(garage)
        return garage.buckets()

    for _ in range(3):
        with pytest.raises(NotReady, match="does not answer"):
            look(eyes, item, question)
    assert len(asked) == 1
    eyes.look_afresh()
    with pytest.raises(NotReady, match="does not answer"):
        look(eyes, item, question)
    assert len(asked) == 2
