"""The line that starts an agent is one that every shell reads in the same way."""

import re
import shlex

import pytest

from fedikit.remote import bootstrap

LINES = [bootstrap.shell_command(with_sudo=False), bootstrap.shell_command(with_sudo=True)]


@pytest.mark.parametrize("line", LINES)
def test_nothing_in_it_is_special_to_any_shell(line: str) -> None:
    """Within single quotes: csh knows `!` and ends of lines, fish and tcsh know backslashes, rc doubles quotes."""
    quoted = re.findall("'([^']*)'", line)
    assert len(quoted) == 1
    assert line.count("'") == 2
    assert line.isascii()
    assert line.isprintable()
    assert not set("\\!`") & set(line)
    assert re.fullmatch(r"[A-Za-z0-9 /_-]*", line.replace(f"'{quoted[0]}'", ""))


@pytest.mark.parametrize("line", LINES)
def test_a_shell_that_may_name_no_path_of_a_program_takes_it(line: str) -> None:
    """Such as rbash: programs are found on the path."""
    words = shlex.split(line)
    assert not any("/" in word for word in words[: words.index("python3") + 1])


def test_what_follows_is_understood_by_pythons_that_are_too_old() -> None:
    assert not re.search(r"\bmatch\b|:=|f\"|f'", bootstrap.BOOT)
