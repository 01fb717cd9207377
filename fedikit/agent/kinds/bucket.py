"""Buckets of Garage, each with the one key that may use it.

A bucket's names, its readers and its quota are wholly ours. Of its keys, ours are named `fedikit BUCKET SEAL`; others
are left alone. The seal's beginning tells which secret it is without asking for it: a key's secret never changes in
Garage, and no key id is taken a second time once the key was deleted.
"""

from typing import TYPE_CHECKING, Any

from ..eyes import ABSENT, Eyes, State
from ..garage import Garage, NotReady, Record, Refused, look, wait_for
from ..hands import Hands
from ..trouble import Trouble
from ..work import Work
from .kind import Kind

if TYPE_CHECKING:
    from ..leaving import Departure

Item = dict[str, Any]
Answer = dict[str, Record] | str
INDEX = "index.html"
CORS = {"AllowedMethod": ["GET", "HEAD"], "AllowedHeader": ["*"], "ExposeHeader": ["ETag"], "MaxAgeSeconds": 3600}
MARK = "fedikit "
"""What the names of keys begin with that are ours."""
SEAL_LENGTH = 16


class BucketKind(Kind):
    def __init__(self) -> None:
        self._seen: tuple[Eyes | None, str, Answer] = (None, "", "")

    def observe(self, eyes: Eyes, item: Item) -> State:
        """Garage is asked once for all buckets, also if it does not answer."""
        looker, admin, answer = self._seen
        if looker is not eyes or admin != item["admin"]:
            answer = _look(eyes, item)
            self._seen = (eyes, item["admin"], answer)
        if isinstance(answer, str):
            return _unseen(answer)
        return _state(item, answer[item["name"]]) if item["name"] in answer else ABSENT

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state["type"] == "absent":
            return [state.get("why", "absent")]
        return [*_naming(item, state), *_opening(item, state), *_keying(state)]

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        garage = wait_for(hands, item, lambda garage: garage.bucket(item["name"]))
        bucket = garage.bucket(item["name"])
        if bucket and "why" in work.prior and _has_guests(bucket):
            work.entry["prior"] = _state(item, bucket)
        if not bucket or self.differences(item, _state(item, bucket), work.done):
            self._make(garage, bucket, item, work)

    def _make(self, garage: Garage, bucket: Record | None, item: Item, work: Work) -> None:
        key_id, secret = _access_in(work.content(item))
        _bring_key(garage, item, key_id, secret)
        bucket = bucket or garage.make_bucket(item["name"])
        _set_names(garage, bucket, {item["name"], *item["websites"]})
        garage.update_bucket(bucket, _settings(_wanted(item)))
        garage.allow(bucket, key_id)
        for key in _keys_of_ours(bucket):
            if key["accessKeyId"] != key_id:
                _take_key_away(garage, bucket, key["accessKeyId"])

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        """A bucket that was there before fedikit stays, as it was."""
        try:
            garage = Garage.of(hands, item)
            bucket = garage.bucket(item["name"])
        except NotReady as reason:
            return f"{reason}: whatever of it is there, stays" if hands.exists(item["token_file"]) else ""
        kept = ""
        if bucket and work.prior["type"] != "absent":
            _restore(garage, bucket, work.prior)
            kept = "it was there before fedikit, and stays with all that is in it"
        elif bucket:
            _empty(garage, bucket, item)
            garage.delete_bucket(bucket)
        for key_id in garage.key_ids(f"{MARK}{item['name']} "):
            _delete_if_idle(garage, key_id)
        return kept

    def reason_it_cannot_go(self, departure: "Departure", item: Item, state: State) -> str:
        has_garage = "why" in state and departure.eyes.exists(item["token_file"])
        if has_garage and not departure.is_leaving("unit:garage.service"):
            return f"{state['why']}: see to that, and do the same again"
        return ""


KIND = BucketKind()


def _look(eyes: Eyes, item: Item) -> Answer:
    """All buckets by name, or why they cannot be seen."""
    try:
        return look(eyes, item, Garage.buckets)
    except NotReady as reason:
        return str(reason)


def _unseen(why: str) -> State:
    """As absent as far as can be told; like a package, it is there to be made."""
    return {**ABSENT, "installed": False, "why": why}


# What is there, and what is wanted


def _state(item: Item, bucket: Record) -> State:
    return {
        "type": "bucket",
        "names": sorted(bucket["globalAliases"]),
        "open": bucket["websiteAccess"],
        "cors": bucket.get("corsRules", []),
        "quota": [bucket["quotas"]["maxSize"], bucket["quotas"]["maxObjects"]],
        **_state_of_keys(item, bucket),
    }


def _state_of_keys(item: Item, bucket: Record) -> State:
    """What the wanted key may do, and how many former ones are there; not which, their ids are secret."""
    ours = [key for key in _keys_of_ours(bucket) if _may_anything(key)]
    wanted = [key for key in ours if _is_wanted(key, item)]
    is_whole = any(all(key["permissions"].values()) for key in wanted)
    access = "whole" if is_whole else "part" if wanted else "absent"
    return {"access": access, "former": len(ours) - len(wanted)}


def _wanted(item: Item) -> State:
    return {
        "open": bool(item["websites"]),
        "cors": [{**CORS, "AllowedOrigin": item["origins"]}] if item["origins"] else [],
        "quota": [item["max_bytes"], None],
    }


def _settings(state: State) -> Record:
    """A state in Garage's words."""
    size, objects = state["quota"]
    site = {"enabled": True, "indexDocument": INDEX} if state["open"] else {"enabled": False}
    return {"websiteAccess": site, "corsRules": state["cors"], "quotas": {"maxSize": size, "maxObjects": objects}}


def _naming(item: Item, state: State) -> list[str]:
    wanted, present = {item["name"], *item["websites"]}, set(state["names"])
    missing = [f"is not called {name}" for name in sorted(wanted - present)]
    return missing + [f"is also called {name}" for name in sorted(present - wanted)]


def _opening(item: Item, state: State) -> list[str]:
    wanted = _wanted(item)
    words = ("nobody may read it → everybody", "everybody may read it → nobody")
    reading = [words[state["open"]]] if state["open"] != wanted["open"] else []
    cors = ["which web sites' scripts may read it"] if state["cors"] != wanted["cors"] else []
    quota = [f"quota {_amount(state['quota'])} → {_amount(wanted['quota'])}"]
    return reading + cors + (quota if state["quota"] != wanted["quota"] else [])


def _keying(state: State) -> list[str]:
    words = {"absent": ["its key has no access"], "part": ["its key has not all rights"], "whole": []}
    return words[state["access"]] + (["a former key has access"] if state["former"] else [])


def _amount(quota: list[int | None]) -> str:
    size, objects = quota
    parts = [f"{size} bytes"] if size is not None else []
    return " and ".join([*parts, f"{objects} objects"] if objects is not None else parts) or "none"


# Names and keys


def _set_names(garage: Garage, bucket: Record, names: set[str]) -> None:
    """New names first: a bucket needs one."""
    for name in sorted(names - {*bucket["globalAliases"]}):
        garage.name(bucket, name)
    for name in sorted({*bucket["globalAliases"]} - names):
        garage.unname(bucket, name)


def _access_in(content: bytes) -> tuple[str, str]:
    words = content.decode().split(" ")
    if len(words) != 2:
        raise Trouble("its key should be an id and a secret with a space between", hint="see the item's field `access`")
    return words[0], words[1]


def _bring_key(garage: Garage, item: Item, key_id: str, secret: str) -> None:
    found = garage.key(key_id)
    if found and found["secretAccessKey"] != secret:
        raise Trouble(
            "Garage has another secret for this key's id, and a key's secret never changes",
            hint="rotate the id together with the secret",
        )
    if found:
        if not _is_wanted(found, item):
            garage.rename_key(key_id, _name_of_key(item))
        return
    try:
        garage.import_key(key_id, secret, _name_of_key(item))
    except Refused as refusal:
        if refusal.reason != "KeyAlreadyExists":
            raise
        raise Trouble(
            "its key was deleted from this Garage once, and Garage never takes an id again that was deleted",
            hint="raise the version of the key's id and secret: that makes another key",
        ) from refusal


def _name_of_key(item: Item) -> str:
    return f"{MARK}{item['name']} {item['seal'][:SEAL_LENGTH]}"


def _is_wanted(key: Record, item: Item) -> bool:
    """Whether it is a key of ours with the wanted secret; it may bear the name of another bucket that it opens too."""
    return _is_ours(key) and str(key["name"]).endswith(f" {item['seal'][:SEAL_LENGTH]}")


def _is_ours(key: Record) -> bool:
    return str(key["name"]).startswith(MARK)


def _may_anything(key: Record) -> bool:
    return any(key["permissions"].values())


def _keys_of_ours(bucket: Record) -> list[Record]:
    return [key for key in bucket["keys"] if _is_ours(key)]


def _has_guests(bucket: Record) -> bool:
    """Whether somebody else's key is on the bucket: then it was there before fedikit."""
    return any(not _is_ours(key) and _may_anything(key) for key in bucket["keys"])


def _take_key_away(garage: Garage, bucket: Record, key_id: str) -> None:
    garage.deny(bucket, key_id)
    _delete_if_idle(garage, key_id)


def _delete_if_idle(garage: Garage, key_id: str) -> None:
    """Deletes a key unless it opens another bucket."""
    key = garage.key(key_id)
    if key and not any(_may_anything(bucket) for bucket in key["buckets"]):
        garage.delete_key(key_id)


# Leaving


def _restore(garage: Garage, bucket: Record, prior: State) -> None:
    for key in _keys_of_ours(bucket):
        _take_key_away(garage, bucket, key["accessKeyId"])
    _set_names(garage, bucket, {*prior["names"]})
    garage.update_bucket(bucket, _settings(prior))


def _empty(garage: Garage, bucket: Record, item: Item) -> None:
    """With a key of ours, or a new one if there is none: its secret is not at hand when an item leaves."""
    from ..s3 import empty  # seldom needed
    from ..signature import Access

    ours = _keys_of_ours(bucket)
    key_id = ours[0]["accessKeyId"] if ours else garage.make_key(_name_of_key(item))
    garage.allow(bucket, key_id)
    garage.drop_unfinished_uploads(bucket)
    secret = (garage.key(key_id) or {}).get("secretAccessKey", "")
    empty(Access(item["s3"], item["region"], key_id, secret), item["name"])
