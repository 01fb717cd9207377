"""Stands in for useradd, usermod, userdel, groupdel, gpasswd, runuser and dpkg in a directory."""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIRST_NUMBER = 1000
EXISTS_ALREADY, DOES_NOT_EXIST = 9, 6
Rows = dict[str, list[str]]


def rows_of(database: str) -> Rows:
    """The lines of /etc/passwd or /etc/group, by name."""
    lines = (ROOT / "etc" / database).read_text().splitlines()
    return {line.split(":")[0]: line.split(":") for line in lines if ":" in line}


def write(database: str, rows: Rows) -> None:
    (ROOT / "etc" / database).write_text("".join(":".join(row) + "\n" for row in rows.values()))


def options_in(words: list[str]) -> tuple[dict[str, str], str]:
    """The options that have a value, and the last word: a name."""
    named = {"-c", "-d", "-s", "--password", "--groups", "--delete"}
    return {words[at]: words[at + 1] for at in range(len(words) - 1) if words[at] in named}, words[-1]


def useradd(words: list[str]) -> int:
    """Makes a user with a group of the same name, and a home from /etc/skel."""
    options, name = options_in(words)
    users, groups = rows_of("passwd"), rows_of("group")
    if name in users or name in groups:
        return EXISTS_ALREADY
    number = str(max([FIRST_NUMBER - 1, *(int(row[2]) for row in users.values())]) + 1)
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
    """Changes what stands in a user's line, or the groups that list it."""
    options, name = options_in(words)
    users, groups = rows_of("passwd"), rows_of("group")
    if name not in users or options.get("--groups", name) not in groups:
        return DOES_NOT_EXIST
    for option, field in (("-c", 4), ("-d", 5), ("-s", 6)):
        users[name][field] = options.get(option, users[name][field])
    if "--groups" in options:
        members = [member for member in groups[options["--groups"]][3].split(",") if member and member != name]
        groups[options["--groups"]][3] = ",".join([*members, name])
    write("passwd", users)
    write("group", groups)
    return 0


def userdel(words: list[str]) -> int:
    """Removes a user, its group and its memberships."""
    users, groups = rows_of("passwd"), rows_of("group")
    if users.pop(words[-1], None) is None:
        return DOES_NOT_EXIST
    groups.pop(words[-1], None)
    for row in groups.values():
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
    """Takes a user out of a group."""
    options, group = options_in(words)
    groups = rows_of("group")
    groups[group][3] = ",".join(member for member in groups[group][3].split(",") if member != options["--delete"])
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
