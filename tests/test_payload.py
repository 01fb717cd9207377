"""What travels to the agent: digests for contents, seals for secrets, fingerprints for who watches whom."""

from fedikit.model.item import File, Item, Job, SecretRef, SecretText, Unit
from fedikit.remote.payload import encode
from fedikit.secrets import MasterKey, Vault


def vault() -> Vault:
    from pydantic import SecretBytes

    return Vault(MasterKey(SecretBytes(b"k" * 32)), {})


def fingerprint(*items: Item) -> str:
    value: str = encode("one", items, vault()).items[-1]["fingerprint"]
    return value


A = File(path="/etc/a", content="1")
B = File(path="/etc/b", content="1")


def test_contents_travel_by_digest_and_secrets_by_seal() -> None:
    secret = File(path="/etc/s", content=SecretText(parts=("x=", SecretRef(name="app/token"))))
    payload = encode("one", [A, secret], vault())
    assert set(payload.contents.values()) == {b"1"}
    assert "content" not in payload.items[0]
    assert payload.items[1].keys() >= {"seal", "id"}
    assert "sha256" not in payload.items[1]
    assert payload.secrets["file:/etc/s"].startswith("x=")
    assert payload.secrets["file:/etc/s"] not in repr(payload)


def test_a_unit_owes_a_restart_or_a_reload_by_what_changed() -> None:
    def unit(a: str, b: str) -> list[str]:
        files = (File(path="/etc/a", content=a), File(path="/etc/b", content=b))
        return fingerprint(*files, Unit(name="x.service", restart_on=(A.id,), reload_on=(B.id,))).split(":")

    before, restarted, reloaded = unit("1", "1"), unit("2", "1"), unit("1", "2")
    assert before[0] != restarted[0]
    assert before[1] == restarted[1]
    assert before[0] == reloaded[0]
    assert before[1] != reloaded[1]


def test_a_file_that_is_no_longer_watched_is_a_reason_too() -> None:
    both = fingerprint(A, B, Unit(name="x.service", reload_on=(A.id, B.id)))
    assert fingerprint(A, Unit(name="x.service", reload_on=(A.id,))) != both


def test_a_job_runs_again_for_its_command_its_input_and_what_it_watches_but_not_for_its_check() -> None:
    job = Job(name="j", run=("true",), stdin="1")
    base = fingerprint(job)
    assert fingerprint(job.model_copy(update={"check": ("false",), "deadline": 9})) == base
    assert fingerprint(job.model_copy(update={"run": ("false",)})) != base
    assert fingerprint(job.model_copy(update={"stdin": "2"})) != base
    assert fingerprint(A, job.model_copy(update={"inputs": (A.id,)})) != base


def test_a_rotated_secret_changes_the_seal() -> None:
    def seal(version: int) -> str:
        content = SecretText(parts=(SecretRef(name="app/token", version=version),))
        value: str = encode("one", [File(path="/etc/s", content=content)], vault()).items[0]["seal"]
        return value

    assert seal(1) != seal(2)
