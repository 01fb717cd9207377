"""Makes an account of snac, or (check) tells by the exit status whether it is there as wanted.

    python3 snac_account.py make|check BASE USERNAME DISPLAY-NAME

Runs on its host as snac's user; standard library only. The password comes on standard input.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path


class Account:
    """Somebody's account, in the files in which snac 2.75 keeps it."""

    def __init__(self, base: str, username: str) -> None:
        self._base, self._username = base, username
        self._home = Path(base, "user", username)
        self._profile = self._home / "user.json"

    def is_whole(self) -> bool:
        """snac writes the key last, after seconds of reckoning; an account without one never worked."""
        key = self._home / "key.json"
        return key.is_file() and key.stat().st_size > 0

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
        os.umask(0o007)
        draft = self._home / "user.json.new"
        draft.write_text(json.dumps(account, indent=4))
        draft.replace(self._profile)

    def _hashed(self, nonce: str, password: str) -> str:
        """As snac keeps a password."""
        digest = hashlib.sha1(f"{nonce}:{self._username}:{password}".encode()).hexdigest()  # noqa: S324 - snac's choice
        return f"{nonce}:{digest}"


def main(action: str, base: str, username: str, display_name: str) -> int:
    account, password = Account(base, username), sys.stdin.read()
    if action == "check":
        return 0 if account.is_whole() and account.is_as_wanted(display_name, password) else 1
    if not account.is_whole():
        account.add()
    account.change(display_name, password)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
