"""What an application brings along is in force at the new provider; what opens a provider's own means is not."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from fedikit.environment import load_catalogue
from fedikit.errors import ConfigurationError, SecretError
from fedikit.model.deployment import Deployment
from fedikit.model.item import SecretRef
from fedikit.secrets import Vault, secrets_of
from fedikit.secrets.own import STAYS, own_secrets
from fedikit.secrets.sealed import open_file
from fedikit.secrets.sealing import seal
from tests.secrets.provider import APPLICATIONS, Provider

Values = dict[tuple[str, str], str]


@pytest.fixture
def old(tmp_path: Path) -> Provider:
    return Provider(tmp_path / "old", "5")


@pytest.fixture
def new(tmp_path: Path) -> Provider:
    return Provider(tmp_path / "new", "6")


def values(deployment: Deployment) -> Values:
    vault = Vault.of(deployment)
    return {(ref.name, ref.format): vault.value(ref) for ref in secrets_of(deployment)}


def own(deployment: Deployment, application: str) -> Values:
    """An application's own secrets, as they are there."""
    vault = Vault.of(deployment)
    return {(ref.name, ref.format): vault.value(ref) for ref in own_secrets(deployment, application)}


def sealed(source: Deployment, application: str, target: Provider, **changed: str) -> str:
    """What `source` seals for `target`; some secrets changed."""
    vault = Vault.of(source)
    recipient = Vault.of(target.environment.empty()).recipient()
    secrets = {vault.in_force(ref): changed.get(ref.name, vault.value(ref)) for ref in own_secrets(source, application)}
    return seal(secrets, application=application, deployment=source.name, recipient=recipient)


def bring(source: Provider, target: Provider, *applications: str) -> None:
    """Puts the sealed files beside the new provider's, and names them there."""
    for name in applications:
        (target.folder / f"{name}.sealed").write_text(sealed(source.deployment(), name, target))
    names = ", ".join(f'"{name}.sealed"' for name in applications)
    target.say(f"[secrets]\nsealed = [{names}]")


def is_kept(name: str) -> bool:
    """Whether a secret is the same at both providers, as is written down here once more."""
    return name.endswith(("-base", "/vapid", "/secret", "/root", "/administrator", "/app-key", "/initial-user")) or (
        "/encryption-" in name
    )


def test_two_providers_have_the_applications_own_secrets_in_common_and_no_others(old: Provider, new: Provider) -> None:
    before = values(new.deployment())
    assert not set(before.values()) & set(values(old.deployment()).values())

    bring(old, new, *APPLICATIONS)

    here, there = values(old.deployment()), values(new.deployment())
    assert here.keys() == there.keys()
    assert {name for name, _ in here if is_kept(name)} >= {ref.name for ref in secrets_of(new.deployment())
        if ref.permanent and not ref.name.endswith("/backup")}  # fmt: skip
    assert {key for key in here if here[key] == there[key]} == {key for key in here if is_kept(key[0])}
    assert {key: there[key] for key in there if not is_kept(key[0])} == {
        key: before[key] for key in before if not is_kept(key[0])
    }


def test_only_the_applications_that_came_have_their_secrets_from_elsewhere(old: Provider, new: Provider) -> None:
    bring(old, new, "mastodon")
    here, there = values(old.deployment()), values(new.deployment())
    assert {name for name, form in here if here[name, form] == there[name, form]} == {
        name for name, _ in here if is_kept(name) and name.startswith("mastodon/")
    }


def refs_in(value: Any) -> Iterator[SecretRef]:
    if isinstance(value, SecretRef):
        yield value
    elif isinstance(value, BaseModel):
        yield from refs_in([part for _, part in value])
    elif isinstance(value, Mapping):
        yield from refs_in([*value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from refs_in(part)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_applications_own_are_exactly_those_that_it_asks_for_itself(name: str, old: Provider) -> None:
    """Another secret of a policy's, or one of an application's that is called as policies call theirs, is seen here."""
    application = load_catalogue()[name]
    requests = application.typed_requests(old.wanted.context)(old.wanted.settings(name))
    asked = {ref.name for ref in refs_in([*requests.values()])}

    deployment = old.deployment()

    assert {ref.name for ref in own_secrets(deployment, name)} == asked
    theirs = {ref.name for ref in secrets_of(deployment) if ref.name.startswith(f"{name}/")} - asked
    assert theirs <= {f"{name}/{label}" for label in STAYS}


def test_a_second_move_carries_on_what_came_along_with_the_first(old: Provider, new: Provider, tmp_path: Path) -> None:
    bring(old, new, "mastodon", "pixelfed")
    third = Provider(tmp_path / "third", "7")
    bring(new, third, "mastodon", "pixelfed")
    for name in ("mastodon", "pixelfed"):
        assert own(third.deployment(), name) == own(old.deployment(), name)


def test_what_the_old_provider_was_given_comes_along_and_what_the_operator_wrote_does_not(
    old: Provider, new: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDIKIT_TEST_SECRET", "older than fedikit")
    old.say('[secrets.given]\n"pixelfed/app-key" = "env:FEDIKIT_TEST_SECRET"')
    bring(old, new, "pixelfed")
    monkeypatch.delenv("FEDIKIT_TEST_SECRET")
    assert own(new.deployment(), "pixelfed")["pixelfed/app-key", "laravel-key"] == "older than fedikit"

    by_the_operator = old.deployment().with_given({"initial-user/password": SecretStr("chosen by hand")})
    assert "mastodon/initial-user" not in {ref.name for ref in own_secrets(by_the_operator, "mastodon")}


def test_the_one_password_of_an_older_master_key_comes_along_to_each(old: Provider, new: Provider) -> None:
    (old.folder / "master.key").write_text("5" * 64)
    bring(old, new, "snac", "mastodon")
    passwords = {own(new.deployment(), name)[f"{name}/initial-user", "password"] for name in ("snac", "mastodon")}
    assert passwords == {own(old.deployment(), "peertube")["peertube/initial-user", "password"]}


def test_the_new_provider_may_give_another_one(old: Provider, new: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDIKIT_TEST_SECRET", "given here")
    bring(old, new, "snac")
    new.say('[secrets.given]\n"snac/initial-user" = "env:FEDIKIT_TEST_SECRET"')
    assert own(new.deployment(), "snac") == {("snac/initial-user", "password"): "given here"}


def test_what_only_somebody_else_can_make_comes_along_too(old: Provider, new: Provider) -> None:
    ref = SecretRef(name="mastodon/oidc-client", given=True)
    recipient = Vault.of(new.environment.empty()).recipient()
    text = seal({ref: "of the other one"}, application="mastodon", deployment="old", recipient=recipient)
    (new.folder / "mastodon.sealed").write_text(text)
    new.say('[secrets]\nsealed = "mastodon.sealed"')
    assert Vault.of(new.deployment()).value(ref) == "of the other one"


# Versions


VAPID = [SecretRef(name="mastodon/vapid", format=half) for half in ("vapid-private", "vapid-public")]


def vapid(provider: Provider, version: int = 1) -> list[str]:
    """Both halves, in a version of this provider's."""
    vault = Vault.of(provider.deployment())
    return [vault.value(ref.model_copy(update={"version": version})) for ref in VAPID]


def test_a_pair_of_keys_stays_a_pair_until_both_are_rotated(old: Provider, new: Provider) -> None:
    derived = vapid(new, 2)
    bring(old, new, "mastodon")
    assert vapid(new) == vapid(old)
    assert vapid(new, 2) == derived


def test_one_that_was_rotated_before_is_as_it_was_with_its_version_or_without(old: Provider, new: Provider) -> None:
    derived = vapid(new, 4)
    old.say('[secrets.versions]\n"mastodon/vapid" = 3')
    bring(old, new, "mastodon")
    assert vapid(new) == vapid(new, 3) == vapid(old, 3)
    assert vapid(new, 4) == derived


def test_a_rotation_never_leads_back_to_what_came_along(old: Provider, new: Provider) -> None:
    old.say('[secrets.versions]\n"mastodon/vapid" = 3')
    bring(old, new, "mastodon")
    with pytest.raises(SecretError, match="came along in version 3, and cannot be rotated to 2") as caught:
        vapid(new, 2)
    assert caught.value.hint == 'raise it further: [secrets.versions] "mastodon/vapid" = 4'


def test_the_version_of_one_that_was_rotated_travels_on(old: Provider, new: Provider, tmp_path: Path) -> None:
    old.say('[secrets.versions]\n"mastodon/vapid" = 3')
    bring(old, new, "mastodon")
    third = Provider(tmp_path / "third", "7")
    bring(new, third, "mastodon")
    assert vapid(third) == vapid(old, 3)
    with pytest.raises(SecretError, match="came along in version 3"):
        vapid(third, 2)


def test_a_permanent_one_cannot_be_rotated_here_either(old: Provider, new: Provider) -> None:
    bring(old, new, "pixelfed")
    new.file.write_text(f'{new.file.read_text()}\n[secrets.versions]\n"pixelfed/app-key" = 2\n')
    with pytest.raises(ConfigurationError, match="must never change"):
        new.deployment()


# Files


def test_a_deployment_is_the_same_with_them(old: Provider, new: Provider) -> None:
    """Nothing on a host depends on where a secret is from, but on what it is."""
    before = new.deployment().digest
    bring(old, new, "mastodon")
    assert new.deployment().digest == before


def test_nothing_is_opened_where_no_secret_is_asked_for(new: Provider) -> None:
    new.say('[secrets]\nsealed = "elsewhere/gone.sealed"')
    deployment = new.deployment()
    assert deployment.secrets.sealed == (str(new.folder / "elsewhere/gone.sealed"),)
    with pytest.raises(SecretError, match=r"the file of sealed secrets \S+gone.sealed cannot be read: No such file"):
        values(deployment)


@pytest.mark.parametrize(("mode", "is_fine"), [(0o600, True), (0o644, True), (0o666, False), (0o622, False)])
def test_anybody_may_read_such_a_file_and_nobody_else_may_write_it(
    mode: int, is_fine: bool, old: Provider, new: Provider
) -> None:
    bring(old, new, "snac")
    (new.folder / "snac.sealed").chmod(mode)
    if is_fine:
        assert own(new.deployment(), "snac") == own(old.deployment(), "snac")
        return
    with pytest.raises(SecretError, match=f"may be written by others .mode {mode:04o}"):
        values(new.deployment())


def test_one_in_a_folder_where_others_may_write_is_refused(old: Provider, new: Provider) -> None:
    bring(old, new, "snac")
    new.folder.chmod(0o777)
    with pytest.raises(SecretError, match="where other users may write"):
        Vault.of(new.deployment()).opened(new.folder / "snac.sealed")


def test_a_secret_that_two_files_hold_is_told_with_its_name(old: Provider, new: Provider) -> None:
    bring(old, new, "snac")
    text = (new.folder / "snac.sealed").read_text()
    (new.folder / "again.sealed").write_text(text)
    new.file.write_text(new.file.read_text().replace('["snac.sealed"]', '["snac.sealed", "again.sealed"]'))
    with pytest.raises(SecretError, match=r"the secret snac/initial-user is sealed twice, also in \S+again.sealed"):
        values(new.deployment())


def test_nothing_shows_what_came_along(old: Provider, new: Provider) -> None:
    bring(old, new, "snac")
    deployment = new.deployment()
    vault = Vault.of(deployment)
    (secret,) = {vault.value(ref) for ref in own_secrets(deployment, "snac")}
    assert secret not in f"{vault!r} {vars(vault)} {vars(vars(vault)['_sealed'])} {deployment!r}"
    assert secret not in repr(vault.opened(new.folder / "snac.sealed"))


def test_all_hosts_that_ask_at_once_get_what_came_along(
    old: Provider, new: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that did not wait for the files would be given a derived secret, and what is encrypted would be lost."""
    bring(old, new, "mastodon")
    (wanted,) = {
        value for (name, _), value in own(old.deployment(), "mastodon").items() if name == "mastodon/secret-key-base"
    }
    begun = threading.Barrier(2, timeout=10)

    def slowly(*about: Any) -> Any:
        begun.wait()
        time.sleep(0.05)
        return open_file(*about)

    monkeypatch.setattr("fedikit.secrets.sealed.open_file", slowly)
    deployment = new.deployment()
    vault = Vault.of(deployment)
    (ref,) = [one for one in own_secrets(deployment, "mastodon") if one.name == "mastodon/secret-key-base"]
    with ThreadPoolExecutor() as pool:
        first = pool.submit(vault.value, ref)
        begun.wait()
        assert {vault.value(ref), first.result()} == {wanted}


def test_files_that_cannot_be_opened_are_told_each_time(old: Provider, new: Provider) -> None:
    """And never is a secret derived instead."""
    bring(old, new, "mastodon")
    deployment = new.deployment()
    vault = Vault.of(deployment)
    (new.folder / "mastodon.sealed").write_text("nothing")
    for ref in own_secrets(deployment, "mastodon"):
        with pytest.raises(SecretError):
            vault.value(ref)
