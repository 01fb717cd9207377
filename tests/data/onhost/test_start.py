"""The program as a host has it, started as its units and the agent start it."""

import json
import subprocess
import sys
from pathlib import Path

from fedikit.policies.scripts import data_program


def test_it_starts_from_its_folder_and_leaves_nothing_compiled_there(tmp_path: Path) -> None:
    for name, text in data_program().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-I", "-B", str(tmp_path), "list", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["event"] == "trouble"
    assert "nobody has no backups on this host" in told["message"]
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()} == set(data_program())
