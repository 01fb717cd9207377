"""A stand-in for restic 0.18, as strict as that: its options, its JSON, its exit statuses, its locks.

A repository is a folder: `config`, `password`, and for each snapshot its description and a copy of its files.
`trap` beside this program, `VERB N`, kills whoever started the N-th call of that verb, as a power cut would.
"""

import argparse
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

NONE_THERE, LOCKED, WRONG_PASSWORD, SOME_UNREAD = 10, 11, 12, 3
AHEAD = 0
"""Seconds by which its host's clock is."""
GO_BITS = {0o4000: 1 << 23, 0o2000: 1 << 22, 0o1000: 1 << 20}
KINDS = {"backup", "cat", "check", "dump", "forget", "init", "ls", "prune", "restore", "snapshots", "unlock"}


def fail(words, status=1):
    print(f"Fatal: {words}", file=sys.stderr)
    sys.exit(status)


def parsed():
    parser = argparse.ArgumentParser("restic", allow_abbrev=False)
    for option in ("--limit-upload", "--limit-download"):
        parser.add_argument(option, type=int)
    parser.add_argument("-o", action="append", default=[])
    parser.add_argument("--no-lock", action="store_true", dest="never_locks")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in KINDS & set(sys.argv):
        verb = verbs.add_parser(name, allow_abbrev=False)
        verb.add_argument("--json", action="store_true")
        verb.add_argument("--no-lock", action="store_true")
        verb.add_argument("words", nargs="*")
        verb.add_argument("--tag", action="append", default=[])
        if name == "backup":
            for option in ("--host", "--stdin-filename"):
                verb.add_argument(option, default="")
            verb.add_argument("--exclude", action="append", default=[])
            verb.add_argument("--stdin-from-command", action="store_true")
            verb.add_argument("--ignore-inode", action="store_true")
            verb.add_argument("--ignore-ctime", action="store_true")
            verb.add_argument("--read-concurrency", type=int)
        if name == "forget":
            verb.add_argument("--dry-run", action="store_true")
            verb.add_argument("--group-by")
            for period in ("daily", "weekly", "monthly"):
                verb.add_argument(f"--keep-{period}", type=int, default=0)
        if name == "restore":
            verb.add_argument("--target", required=True)
            verb.add_argument("--exclude", action="append", default=[])
            verb.add_argument("--delete", action="store_true")
            verb.add_argument("--verify", action="store_true")
            verb.add_argument("--sparse", action="store_true")
        if name == "check":
            verb.add_argument("--read-data-subset", default="")
    return parser.parse_args()


def spring_trap(verb):
    trap = Path(sys.argv[0]).parent / "trap"
    if not trap.exists():
        return
    name, number = trap.read_text().split()
    if name == verb and int(number) > 1:
        trap.write_text(f"{name} {int(number) - 1}")
    elif name == verb:
        trap.unlink()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(30)


def place_of(repository):
    """A folder; what is reached by a gate lies in the folder `gate` beside this program, and is only read."""
    if not repository.startswith("rest:http://127.0.0.1:"):
        return Path(repository)
    if not {"--no-lock"} & set(sys.argv) or {"backup", "forget", "init", "prune", "unlock"} & set(sys.argv):
        fail("the gate lets nobody write")
    return Path(sys.argv[0]).parent / "gate" / repository.rpartition("/")[2]


class Store:
    def __init__(self):
        self.folder = place_of(os.environ["RESTIC_REPOSITORY"])
        self.password = Path(os.environ["RESTIC_PASSWORD_FILE"]).read_text()
        Path(os.environ["RESTIC_CACHE_DIR"]).mkdir(exist_ok=True)

    def open(self):
        if not (self.folder / "config").exists():
            fail(f"repository does not exist: unable to open config file: stat {self.folder}/config", NONE_THERE)
        if (self.folder / "password").read_text() != self.password:
            fail("wrong password or no key found", WRONG_PASSWORD)

    def init(self):
        if (self.folder / "config").exists():
            fail("create repository failed: config file already exists")
        self.folder.mkdir(exist_ok=True)
        for name in ("snapshots", "files", "keys"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "keys" / ("1" * 64)).touch()
        (self.folder / "password").write_text(self.password)
        identity = os.urandom(32).hex()
        (self.folder / "config").write_text(json.dumps({"version": 2, "id": identity}))

    def lock(self):
        if (self.folder / "foreign-lock").exists():
            fail("unable to create lock in backend: repository is already locked exclusively", LOCKED)
        (self.folder / "locked").touch()

    def all(self):
        found = [json.loads(file.read_text()) for file in (self.folder / "snapshots").iterdir()]
        return sorted(found, key=lambda one: one["time"])

    def find(self, name):
        found = [one["id"] for one in self.all() if name and one["id"].startswith(name)]
        if len(found) != 1:
            fail(f'failed to find snapshot: no matching ID found for prefix "{name}"')
        return found[0]

    def files(self, snapshot):
        return self.folder / "files" / snapshot

    def save(self, asked, copy, paths):
        import shutil

        draft = self.folder / "files" / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        copy(draft)
        files = [file for file in draft.rglob("*") if file.is_symlink() or not file.is_dir()]
        size = sum(file.lstat().st_size for file in files if file.is_file() and not file.is_symlink())
        identity = os.urandom(32).hex()
        draft.rename(self.files(identity))
        tags = [tag for given in asked.tag for tag in given.split(",")]
        seconds, nanoseconds = divmod(time.time_ns() + AHEAD * 10**9, 10**9)
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"
        description = {"time": moment, "paths": paths, "hostname": asked.host, "tags": tags, "id": identity}
        (self.folder / "snapshots" / identity).write_text(json.dumps(description))
        summary = {"message_type": "summary", "total_files_processed": len(files), "total_bytes_processed": size}
        print(json.dumps({**summary, "data_added": size, "data_added_packed": size, "snapshot_id": identity}))


def matches(path, patterns):
    """As restic's patterns do: a backslash takes the meaning of the next character, a folder takes what is in it."""
    if not patterns:
        return False
    import fnmatch  # late, as all that few verbs need: this starts dozens of times a test

    plain = [re.sub(r"\\(.)", r"[\1]", pattern) for pattern in patterns]
    parts = path.split("/")
    heads = ["/".join(parts[:number]) for number in range(2, len(parts) + 1)]
    return any(fnmatch.fnmatchcase(head, one) and head.count("/") == one.count("/") for head in heads for one in plain)


def copied(source, target, name, patterns):
    """Copies all below a folder, but what the patterns name, `name` being the folder's path for them."""
    import shutil

    shutil.copystat(source, target, follow_symlinks=False)
    os.chown(target, source.stat().st_uid, source.stat().st_gid)
    for entry in os.scandir(source):
        path = f"{name}/{entry.name}"
        if matches(path, patterns):
            continue
        there = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            there.mkdir(exist_ok=True)
            copied(Path(entry.path), there, path, patterns)
        else:
            there.unlink(missing_ok=True)
            shutil.copy2(entry.path, there, follow_symlinks=False)


def cleared(target, source, name, patterns):
    """Removes what is not in the source, but what the patterns name."""
    for entry in list(os.scandir(target)):
        path, there = f"{name}/{entry.name}", source / entry.name
        if matches(path, patterns):
            continue
        if entry.is_dir(follow_symlinks=False):
            cleared(Path(entry.path), there, path, patterns)
            if not there.is_dir() and not os.listdir(entry.path):
                os.rmdir(entry.path)
        elif not os.path.lexists(there):
            os.unlink(entry.path)


def backup(store, asked):
    store.lock()
    if asked.stdin_from_command:
        import subprocess

        finished = subprocess.run(asked.words, capture_output=True)
        sys.stderr.write(finished.stderr.decode())
        if finished.returncode:
            fail(f"unable to save snapshot: command failed: exit status {finished.returncode}")
        name = asked.stdin_filename
        store.save(asked, lambda draft: finished.stdout and (draft / name).write_bytes(finished.stdout), [f"/{name}"])
        if not finished.stdout:
            item = {"message_type": "error", "error": {"message": "no data read"}, "item": f"/{name}"}
            print(json.dumps(item), file=sys.stderr)
            sys.exit(SOME_UNREAD)
        return
    (path,) = asked.words
    if not os.path.lexists(path):
        fail("all source directories/files do not exist")

    def copy(draft):
        target = draft / path.lstrip("/")
        target.mkdir(parents=True)
        copied(Path(path), target, path, asked.exclude)

    store.save(asked, copy, [path])
    unread = Path(sys.argv[0]).parent / "unread"
    if unread.exists():
        for item in unread.read_text().splitlines():
            message = {"message_type": "error", "error": {"message": "lstat"}, "during": "archival", "item": item}
            print(json.dumps(message), file=sys.stderr)
        sys.exit(SOME_UNREAD)


def ls(store, asked):
    snapshot = store.find(asked.words[0])
    print(json.dumps({"struct_type": "snapshot", "id": snapshot}))
    root = store.files(snapshot)
    for file in sorted(root.rglob("*")):
        found = file.lstat()
        kind = "symlink" if file.is_symlink() else "dir" if file.is_dir() else "file" if file.is_file() else "fifo"
        mode = found.st_mode & 0o777 | sum(go for bit, go in GO_BITS.items() if found.st_mode & bit)
        mode |= 1 << 31 if kind == "dir" else 0
        entry = {"type": kind, "path": f"/{file.relative_to(root)}", "uid": found.st_uid, "gid": found.st_gid}
        size = {"size": found.st_size} if kind == "file" else {}
        print(json.dumps({**entry, **size, "mode": mode, "struct_type": "node"}))


def restore(store, asked):
    if not asked.no_lock:
        store.lock()
    name, _, path = asked.words[0].partition(":")
    source, target = store.files(store.find(name)) / path.lstrip("/"), Path(asked.target)
    if not source.is_dir():
        fail(f"path {path}: not found")
    owner = target.stat() if target.exists() else None
    target.mkdir(parents=True, exist_ok=True)
    copied(source, target, "", asked.exclude)
    if owner:
        target.chmod(owner.st_mode & 0o7777)
    if asked.delete:
        cleared(target, source, "", asked.exclude)
    print(json.dumps({"message_type": "summary", "files_restored": 1}))


def forget(store, asked):
    store.lock()
    if asked.words:
        if (store.folder / "append-only").exists():
            print("unable to remove: 403 Forbidden", file=sys.stderr)
            return  # as restic 0.18 ends then
        for identity in asked.words:
            (store.folder / "snapshots" / identity).unlink()
        return
    if not (asked.dry_run and asked.json and asked.group_by == ""):
        fail("this stand-in knows rules in a dry run only")
    wanted = [set(tags.split(",")) for tags in asked.tag]
    found = [one for one in store.all() if not wanted or any(one_of <= set(one["tags"]) for one_of in wanted)]
    forms = {"%Y-%m-%d": asked.keep_daily, "%G-%V": asked.keep_weekly, "%Y-%m": asked.keep_monthly}
    keep = []
    for form, number in forms.items():
        seen = []
        for one in reversed(found):
            period = time.strftime(form, time.strptime(one["time"][:19], "%Y-%m-%dT%H:%M:%S"))
            if period not in seen and len(seen) < number:
                seen.append(period)
                keep += [one] if one not in keep else []
    remove = [one for one in found if one not in keep]
    print(json.dumps([{"tags": None, "host": "", "paths": None, "keep": keep or None, "remove": remove or None}]))


def prune(store, asked):
    import shutil

    store.lock()
    for folder in (store.folder / "files").iterdir():
        if not (store.folder / "snapshots" / folder.name).exists():
            shutil.rmtree(folder)


def check(store, asked):
    n, _, t = asked.read_data_subset.partition("/")
    if not 1 <= int(n) <= int(t):
        fail("check flag --read-data-subset=n/t values must be positive integers, and n <= t")
    if any(not store.files(one["id"]).is_dir() for one in store.all()):
        fail("repository contains errors")
    print("no errors were found")


def dump(store, asked):
    file = store.files(store.find(asked.words[0])) / asked.words[1].lstrip("/")
    if not file.is_file():
        fail(f'cannot dump file: path "{asked.words[1]}" not found in snapshot')
    sys.stdout.buffer.write(file.read_bytes())


def snapshots(store, asked):
    wanted = [set(tags.split(",")) for tags in asked.tag]
    print(
        json.dumps([one for one in store.all() if not wanted or any(one_of <= set(one["tags"]) for one_of in wanted)])
    )


def main():
    asked = parsed()
    spring_trap(asked.verb)
    store = Store()
    if asked.verb == "init":
        store.init()
        return
    store.open()
    if asked.verb == "cat":
        print((store.folder / "config").read_text())
    elif asked.verb != "unlock":
        globals()[asked.verb](store, asked)
