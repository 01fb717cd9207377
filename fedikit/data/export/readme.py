"""README.md of an export: what is what, and the commands that bring it back on any Debian machine, without fedikit.

Rule: each block of commands runs as it stands, as root, in bash, in the export's folder; tests run them so.
"""

import shlex
from collections.abc import Iterator

from fedikit.data.export.parts import file_of
from fedikit.data.export.wanted import Wanted
from fedikit.model.data import BucketPart, MariaPart, Part, PostgresPart, VolumePart
from fedikit.model.item import SecretRef
from fedikit.results.export import Manifest

PACKAGES = {"postgresql": "postgresql", "mariadb": "mariadb-server", "bucket": "rclone"}
_WHAT = {
    "postgresql": "the database, as `pg_dump --format=custom` writes it",
    "mariadb": "the database, as `mariadb-dump` writes it, compressed",
    "bucket": "the bucket's objects, one line each: key, file, size, ETag, headers, SHA-256",
    "volume": "files, with their owners as the application sees them",
}


def readme(wanted: Wanted, manifest: Manifest) -> str:
    """The text, for an export whose parts are all there."""
    sections = [
        _head(wanted, manifest),
        _contents(wanted, manifest),
        _missing(wanted, manifest),
        _preparation(wanted),
        *(_RESTORED[part.kind](part, wanted) for part in wanted.parts),
        _running(wanted, manifest),
        *_afterwards(wanted),
    ]
    return "\n".join("\n".join(section) for section in sections)


def _head(wanted: Wanted, manifest: Manifest) -> Iterator[str]:
    yield f"# {wanted.application}, taken along"
    yield ""
    yield f"All data of {wanted.application} from {wanted.host} ({manifest.deployment}), written by {manifest.made_by}."
    yield "It is restored by what stands here, without fedikit. It holds secrets: keep it where nobody else reads it."
    yield ""


def _contents(wanted: Wanted, manifest: Manifest) -> Iterator[str]:
    yield "| file | what | from | taken |"
    yield "|---|---|---|---|"
    for part in manifest.parts:
        counted = f"{sum(part.counts.values()):,} {_counted(part.kind)}"
        source = ", ".join(filter(None, [part.version, counted]))
        yield f"| `{part.file}` | {_WHAT[part.kind]} | {source} | {part.taken} |"
    yield "| `environment.env` | the application's variables, with its secrets | | |"
    yield "| `configuration/` | the files that it was given, by their paths on the host | | |"
    yield "| `secrets/` | each secret of it by its name | | |"
    yield "| `MANIFEST.json` | all of this for programs: rows by table, sizes, SHA-256 | | |"
    yield ""


def _counted(kind: str) -> str:
    return {"volume": "files", "bucket": "objects"}.get(kind, "rows")


def _missing(wanted: Wanted, manifest: Manifest) -> Iterator[str]:
    yield "## What is not in it"
    yield ""
    yield "- Caches, and with them sessions and what waited in queues: people sign in again."
    yield "- What the application makes anew, certificates for one."
    yield "- Access lists and extended attributes of files; who may read which object."
    for part in wanted.parts:
        left_out = part.leave_out if isinstance(part, BucketPart | VolumePart) else ()
        if left_out:
            yield f"- Of {part.id}: {', '.join(f'`{one}`' for one in left_out)}."
    for taken in manifest.parts:
        if taken.changed:
            yield f"- {taken.changed} files of {taken.id} got shorter while they were read; zeros stand for what went."
    yield ""


def _preparation(wanted: Wanted) -> Iterator[str]:
    yield "## Before"
    yield ""
    yield "A machine with Debian 13, or another system with the same or later versions. All commands are for root, in"
    yield "bash, in this folder. What came over is whole if this says nothing:"
    yield ""
    yield from _commands("sha256sum --check --quiet *.sha256")
    if packages := sorted({PACKAGES[part.kind] for part in wanted.parts if part.kind in PACKAGES}):
        yield "Packages:"
        yield ""
        yield from _commands(f"apt-get install --yes {' '.join(packages)}")


def _commands(*lines: str) -> Iterator[str]:
    yield from ("```sh", *lines, "```", "")


def _postgresql(part: Part, wanted: Wanted) -> Iterator[str]:
    assert isinstance(part, PostgresPart)
    user, name = f'"{part.user}"', f'"{part.name}"'
    yield "## The database"
    yield ""
    yield "Its owner, the database, and what is in it. The rows of each table are in `MANIFEST.json`, to compare."
    yield ""
    yield from _commands(
        f"password=$(sed \"s/'/''/g\" {_secret(part.password)})",
        "runuser -u postgres -- psql --quiet --set=ON_ERROR_STOP=1 <<END",
        f"CREATE ROLE {user} LOGIN PASSWORD '$password';",
        f"CREATE DATABASE {name} OWNER {user} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';",
        "END",
        *_extensions(part),
        f"pg_restore --list {file_of(part)} | grep -v ' COMMENT - EXTENSION ' >/tmp/restored",
        f"runuser -u postgres -- pg_restore --exit-on-error --no-owner --no-privileges --role={part.user} \\",
        f"  --use-list=/tmp/restored --dbname={part.name} <{file_of(part)}",
    )


def _extensions(part: PostgresPart) -> Iterator[str]:
    for extension in part.extensions:
        command = shlex.quote(f'CREATE EXTENSION IF NOT EXISTS "{extension}"')
        yield f"runuser -u postgres -- psql --quiet --dbname={part.name} --command={command}"


def _mariadb(part: Part, wanted: Wanted) -> Iterator[str]:
    assert isinstance(part, MariaPart)
    yield "## The database"
    yield ""
    yield "The database, its user, and what is in it. The rows of each table are in `MANIFEST.json`, to compare."
    yield ""
    yield from _commands(
        f'password=$(sed "s/[\\\\\\\\\']/\\\\\\\\&/g" {_secret(part.password)})',
        "mariadb <<END",
        f"CREATE DATABASE \\`{part.name}\\` CHARACTER SET utf8mb4;",
        f"CREATE USER '{part.user}'@'localhost' IDENTIFIED BY '$password';",
        f"GRANT ALL ON \\`{part.name}\\`.* TO '{part.user}'@'localhost';",
        "END",
        f"gzip --decompress --stdout {file_of(part)} | mariadb {part.name}",
    )


def _bucket(part: Part, wanted: Wanted) -> Iterator[str]:
    assert isinstance(part, BucketPart)
    objects = f"objects-{part.name}"
    yield f"## The bucket {part.name}"
    yield ""
    yield f"`{objects}/` holds the objects by their keys; the lists in `{objects}.lists/` name those that are sent with"
    yield "the same headers. Make a bucket at any provider of S3, or in Garage, and say where it is:"
    yield ""
    yield "```text"
    yield "export S3_ENDPOINT=https://… S3_REGION=… S3_KEY_ID=… S3_KEY_SECRET=… S3_BUCKET=…"
    yield "```"
    yield ""
    yield from _commands(
        "export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_NEW_TYPE=s3 RCLONE_CONFIG_NEW_PROVIDER=Other",
        'export RCLONE_CONFIG_NEW_ENDPOINT="$S3_ENDPOINT" RCLONE_CONFIG_NEW_REGION="$S3_REGION"',
        'export RCLONE_CONFIG_NEW_ACCESS_KEY_ID="$S3_KEY_ID" RCLONE_CONFIG_NEW_SECRET_ACCESS_KEY="$S3_KEY_SECRET"',
        "export RCLONE_CONFIG_NEW_LIST_VERSION=2 RCLONE_CONFIG_NEW_NO_CHECK_BUCKET=true",
        f"for list in {objects}.lists/*.files; do",
        '  mapfile -t options <"${list%.files}.options"',
        f'  rclone copy "${{options[@]}}" --no-traverse --files-from-raw "$list" {objects} "new:$S3_BUCKET"',
        "done",
        f'rclone check --size-only --one-way {objects} "new:$S3_BUCKET"',
    )
    yield f"Objects whose key is no path are in `{objects}.numbered/`, if there are any, by the number that"
    yield f"`{file_of(part)}` names as their `file`: put each under its `key`, by curl's `--aws-sigv4` or any client of S3."
    yield ""


def _volume(part: Part, wanted: Wanted) -> Iterator[str]:
    assert isinstance(part, VolumePart)
    yield f"## Files of {part.path}"
    yield ""
    yield "Owners are the numbers that the container knows, or else names; make users with such names before. Containers"
    yield "whose users have other numbers on the host need them shifted."
    yield ""
    yield from _commands(
        f"mkdir -p {shlex.quote(part.path)}",
        f"tar --extract --same-owner --preserve-permissions --file={file_of(part)} --directory={shlex.quote(part.path)}",
    )


_RESTORED = {"postgresql": _postgresql, "mariadb": _mariadb, "bucket": _bucket, "volume": _volume}


def _running(wanted: Wanted, manifest: Manifest) -> Iterator[str]:
    yield "## The application"
    yield ""
    yield "`environment.env` holds its variables, a line each, as `podman run --env-file` takes them. Change in it where the"
    yield "database, the cache, the bucket and the mail relay are; change no secret that encrypts or signs: the data was made"
    yield "with it. `configuration/` tells the rest: commands, ports, health."
    yield ""
    for name, image in manifest.images.items():
        yield f"- `{name}`: `{image}`"
    yield ""


def _afterwards(wanted: Wanted) -> Iterator[Iterator[str]]:
    if wanted.data.after:
        yield _after(wanted)


def _after(wanted: Wanted) -> Iterator[str]:
    yield "## Afterwards"
    yield ""
    yield "Once it runs:"
    yield ""
    yield "```text"
    for command in wanted.data.after:
        yield f"podman exec {command.container} {shlex.join(command.run)}"
    yield "```"
    yield ""


def _secret(secret: SecretRef) -> str:
    return f"secrets/{secret.name}"
