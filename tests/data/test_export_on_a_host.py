"""An export over SSH from real servers, restored by nothing but the commands that stand in its README."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from fedikit.data.export import export_data
from fedikit.model.data import ApplicationData, BucketPart, MariaPart, Part, PostgresPart, VolumePart
from fedikit.model.deployment import Deployment
from fedikit.model.item import Directory, File, Package, SecretRef, SecretText
from fedikit.results.export import Manifest
from fedikit.secrets import Vault
from fedikit_lab import Machine
from tests.data.conftest import PACKAGES, Place, files_of_the_program
from tests.failure.scene import Scene
from tests.lab.test_buckets import GarageFront, bucket, garage_items, put_garage_on

pytestmark = pytest.mark.lab

PASSWORD = SecretRef(name="leaver/database")
POSTGRES = PostgresPart(
    host="127.0.0.1",
    port=5432,
    user="leaver",
    name="leaver",
    password=PASSWORD,
    encrypted=False,
    extensions=("pg_trgm",),
)
MARIA = MariaPart(host="127.0.0.1", port=3306, user="mover", name="mover", password=SecretRef(name="mover/database"))
STORED = Directory(path="/srv/leaver", owner=str(0x7000_0021), group=str(0x7000_0021), data=True)
SECRETS = File(path="/etc/fedikit/leaver.secrets.env", content=SecretText(parts=("DB_PASS=", PASSWORD, "\n")))
KEYS = {"a b/c ä.jpg": "image/jpeg", "plain": "text/x-special", "x/../y": "text/plain"}
TABLES = """\
CREATE EXTENSION pg_trgm;
CREATE TABLE "Statuses" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, words text NOT NULL);
INSERT INTO "Statuses" (words) SELECT 'status ' || n FROM generate_series(1, 5000) n;
CREATE INDEX ON "Statuses" USING gin (words gin_trgm_ops);
CREATE SCHEMA old; CREATE TABLE old.users (name text); INSERT INTO old.users VALUES ('one'), (E'two\\nthree');
CREATE MATERIALIZED VIEW many AS SELECT count(*) FROM "Statuses";
COMMENT ON TABLE old.users IS 'kept';
"""
ROWS = """\
CREATE TABLE `users` (id int PRIMARY KEY, name text CHARACTER SET utf8mb4, picture blob);
INSERT INTO `users` VALUES (1, 'one', 0x00ff), (2, 'two\\n(3, ''three'');', NULL);
CREATE TABLE `empty` (id int);
CREATE VIEW `names` AS SELECT name FROM `users`;
"""


@pytest.fixture(scope="module")
def scene(place: Place) -> Iterator[Scene]:
    """Garage beside the databases, with a bucket to take along and another to go to."""
    put_garage_on(place.machine)
    scene = Scene(place.lab, "one")
    usual = [*(Package(name=name) for name in PACKAGES), *files_of_the_program()]
    report = scene.apply(one=[*usual, *garage_items(), bucket("media"), bucket("copy")])
    assert report.succeeded, report
    yield scene
    place.machine.succeed("systemctl disable --now garage; rm -rf /var/lib/garage")
    assert scene.apply(one=usual).succeeded


@pytest.fixture(scope="module")
def garage(scene: Scene) -> GarageFront:
    return GarageFront(scene.lab["one"], Vault.of(scene.wants()))


def deployment(scene: Scene, application: str, *parts: Part) -> Deployment:
    wanted = scene.wants(one=[STORED, SECRETS])
    data = ApplicationData(folder=application, parts=parts)
    state = wanted.hosts["one"].model_copy(
        update={"data": {application: data}, "belongings": {item.id: ("leaver",) for item in (STORED, SECRETS)}}
    )
    return wanted.model_copy(update={"hosts": {"one": state}})


def take_along(scene: Scene, application: str, *parts: Part, out: Path) -> Manifest:
    """Exports, and puts the folder where somebody would restore it."""
    result = export_data(deployment(scene, application, *parts), out)
    assert result.succeeded, result
    (one,) = result.all
    assert one.manifest
    archive = subprocess.run(["tar", "--create", f"--directory={out}", "."], check=True, capture_output=True).stdout
    machine = scene.lab["one"]
    command = ["ssh", *machine.ssh_options(), f"root@{machine.address}", "mkdir -p /root/taken && tar -xC /root/taken"]
    subprocess.run(command, input=archive, check=True, timeout=60)
    return one.manifest


def follow_readme(machine: Machine, application: str, **variables: str) -> None:
    """Each block of commands as it stands; packages are there."""
    folder = f"/root/taken/{application}"
    text = machine.succeed(f"cat {folder}/README.md")
    blocks = [piece.partition("```")[0] for piece in text.split("```sh\n")[1:]]
    (installing,) = (block for block in blocks if block.startswith("apt-get install"))
    assert set(installing.split()[3:]) <= set(PACKAGES)
    told = "".join(f"export {name}={value}\n" for name, value in variables.items())
    for block in blocks:
        if block != installing:
            result = machine.run(f"cd {folder}; bash -e -o pipefail", stdin=told + block)
            assert result.exit_status == 0, f"{block}\n{result.stdout}{result.stderr}"


def test_the_readme_restores_a_postgresql_its_files_and_its_objects(
    scene: Scene, garage: GarageFront, tmp_path: Path
) -> None:
    machine, wanted, vault = scene.lab["one"], bucket("media"), Vault.of(scene.wants())
    psql = "runuser -u postgres -- psql -qAtX --set=ON_ERROR_STOP=1"
    secret = vault.value(PASSWORD)
    machine.succeed(
        f"{psql} -c \"CREATE ROLE leaver LOGIN PASSWORD '{secret}'\" -c 'CREATE DATABASE leaver OWNER leaver'"
    )
    assert machine.run(f"PGPASSWORD={secret} psql -qX -h 127.0.0.1 -U leaver leaver", stdin=TABLES).exit_status == 0
    machine.succeed("mkdir -p /srv/leaver/sub; echo one >/srv/leaver/sub/one; ln -s sub/one /srv/leaver/link")
    machine.succeed(
        "chmod 640 /srv/leaver/sub/one; chown -hR 1879048225:1879048225 /srv/leaver; mkfifo /srv/leaver/pipe"
    )
    for key, kind in KEYS.items():
        put(garage, key, kind)

    access = garage.access(wanted)
    media = BucketPart(
        name="media", endpoint="http://127.0.0.1:3900", region="garage", bucket="media",
        key_id=access.id, key_secret=SecretRef(name="media/key", format="hex64"),
    )  # fmt: skip
    volume = VolumePart(path="/srv/leaver")
    manifest = take_along(scene, "leaver", POSTGRES, volume, media, out=tmp_path / "out")
    counts = {part.id: part.counts for part in manifest.parts}
    assert counts["postgresql:leaver"] == {"old.users": 2, "public.Statuses": 5000}
    assert counts["bucket:media"] == {"objects": 3}

    machine.succeed(f"{psql} -c 'DROP DATABASE leaver' -c 'DROP ROLE leaver'; rm -r /srv/leaver")
    to = garage.access(bucket("copy"))
    follow_readme(
        machine, "leaver", S3_ENDPOINT="http://127.0.0.1:3900", S3_REGION="garage",
        S3_KEY_ID=to.id, S3_KEY_SECRET=to.secret, S3_BUCKET="copy",
    )  # fmt: skip

    ask = f"PGPASSWORD={secret} psql -qAtX -h 127.0.0.1 -U leaver leaver -c"
    assert machine.succeed(f"""{ask} 'SELECT count(*) FROM "Statuses"'""").strip() == "5000"
    assert machine.succeed(f"{ask} 'SELECT * FROM many'").strip() == "5000"
    assert machine.succeed(f"""{ask} "SELECT obj_description('old.users'::regclass)" """).strip() == "kept"
    machine.succeed(f"""{ask} "INSERT INTO \\"Statuses\\" (words) VALUES ('one more')" """)
    assert machine.succeed("stat -c '%a %u %n' /srv/leaver/sub/one /srv/leaver/link").split() == [
        "640", "33", "/srv/leaver/sub/one", "777", "33", "/srv/leaver/link",
    ]  # fmt: skip
    for key in ("a b/c ä.jpg", "plain"):
        assert headers_of(garage, key) == (KEYS[key], "max-age=9")
    numbered = [json.loads(line) for line in (tmp_path / "out/leaver/objects-media.jsonl").read_text().splitlines()]
    assert [line["file"] for line in numbered if line["key"] == "x/../y"] == ["objects-media.numbered/000001"]


def test_the_readme_restores_a_mariadb(scene: Scene, tmp_path: Path) -> None:
    machine, secret = scene.lab["one"], Vault.of(scene.wants()).value(MARIA.password)
    make = f"CREATE USER mover@localhost IDENTIFIED BY '{secret}'; GRANT ALL ON mover.* TO mover@localhost"
    machine.succeed(f'mariadb -e "CREATE DATABASE mover; {make}"')
    assert machine.run("mariadb mover", stdin=ROWS).exit_status == 0
    before = machine.succeed("mariadb mover -e 'SELECT id, name, hex(picture) FROM users'")
    manifest = take_along(scene, "mover", MARIA, out=tmp_path / "out")
    assert manifest.parts[0].counts == {"users": 2, "empty": 0}
    machine.succeed('mariadb -e "DROP DATABASE mover; DROP USER mover@localhost"')
    follow_readme(machine, "mover")
    again = f"mariadb -h 127.0.0.1 -u mover -p{secret} mover -e"
    assert machine.succeed(f"{again} 'SELECT id, name, hex(picture) FROM users'") == before
    assert machine.succeed(f"{again} 'SELECT count(*) FROM names' -sN").strip() == "2"


def put(garage: GarageFront, key: str, kind: str) -> None:
    from fedikit.agent.exchange import ask
    from fedikit.agent.signature import signed_headers

    access, request = garage.access(bucket("media")), f"PUT /media/{quote(key, safe='/~')}"
    headers = signed_headers(access, request, key.encode(), {"content-type": kind, "cache-control": "max-age=9"})
    assert ask(access.address, request, headers=headers, body=key.encode(), seconds=20).status == 200


def headers_of(garage: GarageFront, key: str) -> tuple[str, str]:
    import httpx

    from fedikit.agent.signature import signed_headers

    access, path = garage.access(bucket("copy")), f"/copy/{quote(key, safe='/~')}"
    answer = httpx.get(access.address + path, headers=signed_headers(access, f"GET {path}", b""))
    assert answer.content == key.encode()
    return answer.headers["content-type"], answer.headers["cache-control"]
