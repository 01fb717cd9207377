"""Stands in for useradd, usermod, userdel, groupdel, gpasswd, runuser and dpkg in a directory."""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIRST_NUMBER = 1000
SHORTEST = 3
"""How many fields the line of an account has at least."""
EXISTS_ALREADY, DOES_NOT_EXIST, LOGGED_IN = 9, 6, 8
Rows = dict[str, list[str]]


def rows_of(database: str) -> Rows:
    """The lines of /etc/passwd or /etc/group, by name; those that are no account's by themselves."""
    lines = (ROOT / "etc" / database).read_text(errors="surrogateescape").splitlines()
    rows = [line.split(":") for line in lines]
    return {row[0] if is_account(row) else ":".join(row): row for row in rows}


def is_account(row: list[str]) -> bool:
    return len(row) > SHORTEST and row[0][:1] not in ("", "#", "+", "-") and row[2].isascii() and row[2].isdigit()


def write(database: str, rows: Rows) -> None:
    text = "".join(":".join(row) + "\n" for row in rows.values())
    (ROOT / "etc" / database).write_text(text, errors="surrogateescape")


def options_in(words: list[str]) -> tuple[dict[str, str], str]:
    """The options that have a value, and the last word: a name."""
    named = {"-c", "-d", "-s", "--password", "--add", "--delete"}
    return {words[at]: words[at + 1] for at in range(len(words) - 1) if words[at] in named}, words[-1]


def useradd(words: list[str]) -> int:
    """Makes a user with a group of the same name, and a home from /etc/skel."""
    options, name = options_in(words)
    users, groups = rows_of("passwd"), rows_of("group")
    if name in users or name in groups:
        return EXISTS_ALREADY
    number = str(max([FIRST_NUMBER - 1, *(int(row[2]) for row in users.values() if is_account(row))]) + 1)
    users[name] = [name, "x", number, number, options["-c"], options["-d"], options["-s"]]
    groups[name] = [name, "x", number, ""]
    write("passwd", users)
    write("group", groups)
    home = ROOT / options["-d"].lstrip("/")
    if "--create-home" in words and not home.exists():
        shutil.copytree(ROOT / "etc/skel", home)
        home.chmod(0o700)
    return 0


def usermod(words: list[str]) -> int:
    """Changes what stands in a user's line; not the home of one that is logged in, as /run/logged-in says."""
    options, name = options_in(words)
    users, logged_in = rows_of("passwd"), ROOT / "run/logged-in"
    if name not in users:
        return DOES_NOT_EXIST
    if "-d" in options and logged_in.exists() and name in logged_in.read_text().split():
        print(f"usermod: user {name} is currently used by process 1", file=sys.stderr)
        return LOGGED_IN
    for option, field in (("-c", 4), ("-d", 5), ("-s", 6)):
        users[name][field] = options.get(option, users[name][field])
    write("passwd", users)
    return 0


def userdel(words: list[str]) -> int:
    """Removes a user, its group and its memberships."""
    users, groups = rows_of("passwd"), rows_of("group")
    if users.pop(words[-1], None) is None:
        return DOES_NOT_EXIST
    groups.pop(words[-1], None)
    for row in filter(is_account, groups.values()):
        row[3] = ",".join(member for member in row[3].split(",") if member != words[-1])
    write("passwd", users)
    write("group", groups)
    return 0


def groupdel(words: list[str]) -> int:
    """Removes a group."""
    groups = rows_of("group")
    gone = groups.pop(words[-1], None)
    write("group", groups)
    return 0 if gone else DOES_NOT_EXIST


def gpasswd(words: list[str]) -> int:
    """Puts a user into a group, or takes it out."""
    options, group = options_in(words)
    groups = rows_of("group")
    if group not in groups:
        print(f"gpasswd: group '{group}' does not exist in /etc/group", file=sys.stderr)
        return 3
    (user,) = options.values()
    members = [member for member in groups[group][3].split(",") if member not in ("", user)]
    groups[group][3] = ",".join([*members, *([user] if "--add" in options else [])])
    write("group", groups)
    return 0


def runuser(words: list[str]) -> int:
    """Runs a command; as whom it is run is not simulated."""
    command = words[words.index("--") + 1 :]
    os.execvp(command[0], command)  # noqa: S606  # its exit status is this one's


def dpkg(words: list[str]) -> int:
    """Tells its architecture; nothing can be installed in a directory."""
    if words != ["--print-architecture"]:
        print("in a directory no package can be installed", file=sys.stderr)
        return 2
    print("amd64")
    return 0


ACTS = {act.__name__: act for act in (useradd, usermod, userdel, groupdel, gpasswd, runuser, dpkg)}

if __name__ == "__main__":
    sys.exit(ACTS[Path(sys.argv[0]).name](sys.argv[1:]))
