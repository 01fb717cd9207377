"""README.md of an export: what is what, and the commands that bring it back on any Debian machine, without fedikit.

Rule: each block of commands runs as it stands, as root, in bash, in the export's folder; tests run them so.
"""

import shlex
from collections.abc import Callable, Iterator
from textwrap import dedent

from fedikit.data.export.parts import file_of
from fedikit.data.export.wanted import Wanted
from fedikit.model.data import BucketPart, MariaPart, Part, PostgresPart, VolumePart
from fedikit.results.export import ExportedPart, Manifest

PACKAGES = {"postgresql": "postgresql", "mariadb": "mariadb-server", "bucket": "rclone"}
_WHAT = {
    "postgresql": "the database, as `pg_dump --format=custom` writes it",
    "mariadb": "the database, as `mariadb-dump` writes it, compressed",
    "bucket": "the bucket's objects, a line each: key, file, size, ETag, headers, SHA-256",
    "volume": "files, with their owners as the application sees them",
}
_COUNTED = {"volume": "files", "bucket": "objects"}
_END = """\
| `environment.env` | the application's variables, with its secrets | | |
| `configuration/` | the files that it was given, by their paths on the host | | |
| `secrets/` | each secret of it, by its name | | |
| `MANIFEST.json` | all of this for programs: rows by table, sizes, SHA-256 | | |
"""


def readme(wanted: Wanted, manifest: Manifest) -> str:
    """The text, for an export whose parts are all there."""
    restored = (_RESTORED[part.kind](part) for part in wanted.parts)
    sections = (_head(wanted, manifest), _missing(wanted, manifest), _preparation(wanted), *restored,
                _running(manifest), _afterwards(wanted))  # fmt: skip
    return "\n".join(filter(None, sections))


def _head(wanted: Wanted, manifest: Manifest) -> str:
    rows = "".join(f"{_row(part)}\n" for part in manifest.parts)
    return f"""\
# {wanted.application}, taken along

All data of {wanted.application} from {wanted.host} ({manifest.deployment}), written by {manifest.made_by}.
What stands here restores it, without fedikit. It holds secrets: keep it where nobody else reads it.

| file | what | from | taken |
|---|---|---|---|
{rows}{_END}"""


def _row(part: ExportedPart) -> str:
    count = f"{sum(part.counts.values()):,} {_COUNTED.get(part.kind, 'rows')}"
    source = ", ".join(filter(None, [part.version, count]))
    return f"| `{part.file}` | {_WHAT[part.kind]} | {source} | {part.taken} |"


def _missing(wanted: Wanted, manifest: Manifest) -> str:
    further = "".join(f"- {line}\n" for line in [*_left_out(wanted), *_changed(manifest)])
    return f"""\
## What is not in it

- Caches, and with them sessions and what waited in queues: people sign in again.
- What the application makes anew, certificates for one.
- Access lists and extended attributes of files; who may read which object.
{further}"""


def _left_out(wanted: Wanted) -> Iterator[str]:
    for part in wanted.parts:
        if isinstance(part, BucketPart | VolumePart) and part.leave_out:
            yield f"Of {part.id}: {', '.join(f'`{one}`' for one in part.leave_out)}."


def _changed(manifest: Manifest) -> Iterator[str]:
    for part in manifest.parts:
        if part.changed:
            yield f"{part.changed} files of {part.id} got shorter while they were read; zeros stand for what went."


def _preparation(wanted: Wanted) -> str:
    packages = sorted({PACKAGES[part.kind] for part in wanted.parts if part.kind in PACKAGES})
    install = f"\nPackages:\n\n{_commands(f'apt-get install --yes {shlex.join(packages)}')}" if packages else ""
    return f"""\
## Before

A machine with Debian 13, or another system with the same or later versions. All commands are for root, in bash, in
this folder. What came over is whole if this says nothing:

{_commands("sha256sum --check --quiet *.sha256")}{install}"""


def _commands(text: str) -> str:
    return f"```sh\n{dedent(text).strip()}\n```\n"


def _postgresql(part: Part) -> str:
    assert isinstance(part, PostgresPart)
    create = "".join(f'CREATE EXTENSION IF NOT EXISTS "{name}";\n' for name in part.extensions)
    extensions = f"runuser -u postgres -- psql --quiet --dbname={part.name} <<END\n{create}END\n" if create else ""
    commands = f"""\
password=$(sed "s/'/''/g" secrets/{part.password.name})
runuser -u postgres -- psql --quiet --set=ON_ERROR_STOP=1 <<END
CREATE ROLE "{part.user}" LOGIN PASSWORD '$password';
CREATE DATABASE "{part.name}" OWNER "{part.user}" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
END
{extensions}restored=$(mktemp)
pg_restore --list {file_of(part)} | grep -v ' COMMENT - EXTENSION ' >"$restored"
PGPASSWORD=$(<secrets/{part.password.name}) pg_restore --exit-on-error --no-owner --no-privileges \\
  --use-list="$restored" --host=127.0.0.1 --username={part.user} --dbname={part.name} {file_of(part)}
rm "$restored"
"""
    return _database("Its owner, the database, and what is in it.", commands)


def _mariadb(part: Part) -> str:
    assert isinstance(part, MariaPart)
    commands = f"""\
password=$(sed "s/'/''/g; s/\\\\\\\\/&&/g" secrets/{part.password.name})
mariadb <<END
CREATE DATABASE {part.name} CHARACTER SET utf8mb4;
CREATE USER {part.user}@localhost IDENTIFIED BY '$password';
GRANT ALL ON {part.name}.* TO {part.user}@localhost;
END
gzip --decompress --stdout {file_of(part)} | MYSQL_PWD=$(<secrets/{part.password.name}) \\
  mariadb --sandbox --binary-mode --skip-local-infile --user={part.user} {part.name}
"""
    return _database("The database, its user, and what is in it.", commands)


def _database(what: str, commands: str) -> str:
    return f"""\
## The database

{what} The rows of each table are in `MANIFEST.json`, to compare. What the dump says is done as that user, not as
root: it comes from where you leave.

{_commands(commands)}"""


def _bucket(part: Part) -> str:
    assert isinstance(part, BucketPart)
    objects = f"objects-{part.name}"
    return f"""\
## The bucket {part.name}

`{objects}/` holds the objects by their keys; the lists in `{objects}.lists/` name those that are sent with
the same headers. Make a bucket at any provider of S3, or in Garage, and say where it is:

```text
S3_ENDPOINT=https://… S3_REGION=… S3_KEY_ID=… S3_KEY_SECRET=… S3_BUCKET=…
```

{_commands(_SEND.format(objects=objects))}
Objects whose key is no path are in `{objects}.numbered/`, if there are any, by the number that
`{file_of(part)}` names as their `file`: put each under its `key`, by curl's `--aws-sigv4` or another client.
"""


_SEND = """\
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_NEW_TYPE=s3 RCLONE_CONFIG_NEW_PROVIDER=Other
export RCLONE_CONFIG_NEW_ENDPOINT="$S3_ENDPOINT" RCLONE_CONFIG_NEW_REGION="$S3_REGION"
export RCLONE_CONFIG_NEW_ACCESS_KEY_ID="$S3_KEY_ID" RCLONE_CONFIG_NEW_SECRET_ACCESS_KEY="$S3_KEY_SECRET"
export RCLONE_CONFIG_NEW_LIST_VERSION=2 RCLONE_CONFIG_NEW_NO_CHECK_BUCKET=true
for list in {objects}.lists/*.files; do
  test -e "$list" || break
  mapfile -t options <"${{list%.files}}.options"
  rclone copy "${{options[@]}}" --no-traverse --files-from-raw "$list" {objects} "new:$S3_BUCKET"
done
rclone check --size-only --one-way {objects} "new:$S3_BUCKET"
"""


def _volume(part: Part) -> str:
    assert isinstance(part, VolumePart)
    path = shlex.quote(part.path)
    commands = (
        f"mkdir -p {path}\ntar --extract --same-owner --preserve-permissions --file={file_of(part)} --directory={path}"
        f"\nfind {path} -type b,c -delete\nfind {path} -type f -perm /6000 -exec chmod a-s {{}} +"
    )
    return f"""\
## Files of {part.path}

Owners are the numbers that the container knows, or else names: make users with such names before. Containers whose
users have other numbers on the host need them shifted.

{_commands(commands)}"""


_RESTORED: dict[str, Callable[[Part], str]] = {
    "postgresql": _postgresql,
    "mariadb": _mariadb,
    "bucket": _bucket,
    "volume": _volume,
}


def _running(manifest: Manifest) -> str:
    images = "".join(f"- `{name}`: `{image}`\n" for name, image in manifest.images.items())
    return f"""\
## The application

`environment.env` holds its variables, a line each, as `podman run --env-file` takes them. Change in it where the
database, the cache, the bucket and the mail relay are. Change no secret that encrypts or signs: the data was made with
it. `configuration/` tells the rest: commands, ports, health.

{images}"""


def _afterwards(wanted: Wanted) -> str:
    commands = [f"podman exec {one.container} {shlex.join(one.run)}" for one in wanted.data.after]
    return "## Afterwards\n\nOnce it runs:\n\n```text\n{}\n```\n".format("\n".join(commands)) if commands else ""
