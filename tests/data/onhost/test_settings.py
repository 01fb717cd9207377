"""Settings and secrets: read strictly, every mistake with its place."""

import json
from typing import Any

import pytest

from tests.data.onhost.conftest import Host

VOLUME = {"id": "volume:x", "kind": "volume", "path": "/x", "leave_out": []}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format: 1 was expected, and it is 2"),
        ({"application": "other"}, "application: it is 'other''s"),
        ({"more": 1}, "settings.more: nobody knows it"),
        ({"parts": []}, "parts: there is none"),
        ({"parts": [{"id": "x", "kind": "tape"}]}, "parts.0.kind: one of postgresql, mariadb, bucket, volume"),
        ({"parts": [{**VOLUME, "path": 1}]}, "parts.0.path: str was expected"),
        ({"parts": [VOLUME, VOLUME]}, "parts: two have the same id"),
        ({"keep": {"daily": 0, "weekly": 0, "monthly": 0}}, "keep: nothing would be kept"),
        ({"keep": {"daily": 1, "weekly": 0}}, "keep.monthly: it is missing"),
        ({"stop": ["../x.service"]}, "stop: '../x.service' is no unit"),
        ({"check_parts": 0}, "check_parts: at least 1 was expected"),
    ],
)
def test_a_mistake_is_told_with_its_place(host: Host, changes: dict[str, Any], words: str) -> None:
    host.settings(**changes)
    assert words in host.trouble("backup")["message"]


@pytest.mark.parametrize("text", ["", "[]", "{", '"\\ud800"', "null"])
def test_what_is_no_settings_at_all_is_said(host: Host, text: str) -> None:
    host.places.settings.write_text(text)
    trouble = host.trouble("backup")
    assert str(host.places.settings) in trouble["message"]
    assert "run an apply" in trouble["hint"]


def test_an_application_without_settings_has_no_backups(host: Host) -> None:
    host.places.settings.unlink()
    assert host.trouble("list")["message"].startswith("app has no backups on this host")


def test_a_secret_that_others_could_read_is_refused(host: Host) -> None:
    secret = host.places.secrets / "repository-password"
    secret.chmod(0o644)
    assert "that nobody else may read" in host.trouble("backup")["message"]
    secret.unlink()
    secret.symlink_to("/etc/hostname")
    assert "that nobody else may read" in host.trouble("backup")["message"]
    secret.unlink()
    assert f"the secret {secret} is missing" in host.trouble("backup")["message"]


def test_a_secret_is_told_nowhere(host: Host) -> None:
    """Not even when a command says it."""
    (host.programs / "restic").write_text("#!/bin/sh\necho the password is hunter22 >&2; exit 1\n")
    _, events = host.run("backup")
    assert events[-1]["tail"] == "the password is (a secret)"
    assert "hunter22" not in json.dumps([events, host.result()])
