"""Makes an account of snac, or (check) tells by the exit status whether it is there as wanted.

    python3 snac_account.py make|check BASE USERNAME DISPLAY-NAME

Runs on its host as snac's user; standard library only. The password comes on standard input.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PEM = re.compile(r".*?-----END [A-Z ]+-----\n", re.DOTALL)


class Account:
    """Somebody's account, in the files in which snac 2.75 keeps it."""

    def __init__(self, base: str, username: str) -> None:
        self._base, self._username = base, username
        self._home = Path(base, "user", username)
        self._profile = self._home / "user.json"
        self._key = self._home / "key.json"

    def is_whole(self) -> bool:
        """snac writes the key last, after seconds of reckoning; an account without one never worked."""
        return self._key.is_file() and self._key.stat().st_size > 0

    def has_clean_keys(self) -> bool:
        """snac 2.75 puts what happens to lie in memory behind its keys: often no UTF-8, which others refuse to read."""
        return all(kept == clean for kept, clean in self._keys().values())

    def clean_keys(self) -> None:
        """The keys stay the same: what stands behind them never was part of them."""
        self._write(self._key, {name: clean for name, (_, clean) in self._keys().items()})

    def _keys(self) -> dict[str, tuple[str, str]]:
        """By name, each key as it is and as it should be."""
        kept = json.loads(self._key.read_bytes().decode(errors="replace"), strict=False)
        return {name: (key, found[0] if (found := PEM.match(key)) else key) for name, key in kept.items()}

    def is_as_wanted(self, name: str, password: str) -> bool:
        account = json.loads(self._profile.read_text())
        nonce = str(account["passwd"]).split(":")[0]
        return bool(account["name"] == name and account["passwd"] == self._hashed(nonce, password))

    def add(self) -> None:
        """By snac's own command, which prints a password that is replaced at once."""
        shutil.rmtree(self._home, ignore_errors=True)
        command = ["snac", "adduser", self._base, self._username]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    def change(self, name: str, password: str) -> None:
        account = json.loads(self._profile.read_text())
        account.update(name=name, passwd=self._hashed(os.urandom(4).hex(), password))
        self._write(self._profile, account)

    def is_shown(self) -> bool:
        """snac shows the page of this month as it last built it, until somebody posts."""
        page = self._page()
        return not page.exists() or page.stat().st_mtime > self._profile.stat().st_mtime

    def show(self) -> None:
        """The page is built anew for its next visitor; those of other months are kept nowhere else."""
        self._page().unlink(missing_ok=True)

    def _page(self) -> Path:
        return self._home / "history" / time.strftime("%Y-%m.html")

    def _write(self, file: Path, content: Any) -> None:
        os.umask(0o007)
        draft = file.with_name(f"{file.name}.new")
        draft.write_text(json.dumps(content, indent=4))
        draft.replace(file)

    def _hashed(self, nonce: str, password: str) -> str:
        """As snac keeps a password."""
        digest = hashlib.sha1(f"{nonce}:{self._username}:{password}".encode()).hexdigest()  # noqa: S324 - snac's choice
        return f"{nonce}:{digest}"


def main(action: str, base: str, username: str, display_name: str) -> int:
    account, password = Account(base, username), sys.stdin.read()
    if action == "check":
        is_sound = account.is_whole() and account.has_clean_keys()
        return 0 if is_sound and account.is_as_wanted(display_name, password) and account.is_shown() else 1
    if not account.is_whole():
        account.add()
    if not account.has_clean_keys():
        account.clean_keys()
    account.change(display_name, password)
    account.show()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
