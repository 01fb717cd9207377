"""Secrets are found in every usual spelling, so that the control of their absence means something."""

import base64
import json
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from fedikit.secrets.redaction import Leak, find_leaks, scrub

POISON = 'p0ison/+&"<ü key>'
SPELLINGS = {
    "clear": POISON,
    "quoted": quote(POISON, safe=""),
    "quoted path": quote(POISON),
    "quoted form": quote_plus(POISON),
    "json": json.dumps({"key": POISON}),
    "json in utf-8": json.dumps({"key": POISON}, ensure_ascii=False),
    "html": escape(POISON),
    "basic authentication": base64.b64encode(f"user:{POISON}".encode()).decode(),
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_a_secret_is_found_and_scrubbed_however_it_is_spelled(spelled: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"before {spelled} after")
    assert find_leaks([tmp_path / "log"], [POISON])
    scrubbed = scrub(f"before {spelled} after", [POISON])
    (tmp_path / "log").write_text(scrubbed)
    assert find_leaks([tmp_path / "log"], [POISON]) == []
    assert scrubbed.startswith("before ")
    assert scrubbed.endswith(" after")


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", range(7))
@pytest.mark.parametrize("after", range(4))
def test_base64_hides_nothing_wherever_the_secret_stands(
    encode: type[bytes], before: int, after: int, tmp_path: Path
) -> None:
    content = b"x" * before + POISON.encode() + b"\xff" * after
    (tmp_path / "file").write_bytes(encode(content))
    assert find_leaks([tmp_path / "file"], [POISON])


def test_what_has_no_secret_has_no_leak(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(base64.b64encode(POISON[1:].encode()) + POISON[:-1].encode())
    assert find_leaks([tmp_path], [POISON]) == []
    assert scrub("nothing here", [POISON, ""]) == "nothing here"


def test_a_leak_names_the_place_and_not_the_secret(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    (folder / "file").write_text("....hunter2")
    assert find_leaks([tmp_path], ["other secret", "hunter2"]) == [Leak(folder / "file", 4, 1, "clear")]
    assert "hunter2" not in repr(find_leaks([tmp_path], ["hunter2"]))


def test_each_line_of_a_secret_of_several_is_scrubbed_alone() -> None:
    assert scrub("Load key: AAAAsecond== is invalid", ["AAAAfirst\nAAAAsecond=="]) == "Load key: ••• is invalid"


def test_a_longer_secret_is_scrubbed_before_one_that_it_contains() -> None:
    assert scrub("secret-and-more", ["secret", "secret-and-more"]) == "•••"
