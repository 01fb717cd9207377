"""Without what serves the panel, the commands say how to get it, and nothing else needs it."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from fedikit.cli import main


@pytest.mark.parametrize("words", ["serve", "password", "reset alice", "second-factor alice"])
def test_without_the_extra_it_says_how_to_get_it(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("fedikit.panel.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "argon2", None)
    monkeypatch.setitem(sys.modules, "pyotp", None)
    done = CliRunner().invoke(main, ["panel", *words.split()], input="correct horse battery\n")
    assert done.exit_code == 1
    assert "pip install 'fedikit[panel]'" in done.output


def test_the_panel_itself_needs_nothing_of_the_server() -> None:
    needless = "argon2 pyotp tornado.web jupyter_server voila"
    code = (
        f"import fedikit.panel.desk, fedikit.panel.cli, sys; print([n for n in {needless.split()} if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
