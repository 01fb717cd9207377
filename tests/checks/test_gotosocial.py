"""GoToSocial from its contract image: deployed, used by its API as an app would, given another password, removed."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from fedikit.environment import load_configuration, load_environment
from fedikit_lab import Lab, Machine
from fedikit_lab.prove import Asked, prove_backup
from tests.checks.gotosocial import DOMAIN, EMAIL, SITE, App
from tests.checks.picture import changes, picture_of
from tests.checks.pictures import picture
from tests.checks.proving import Rehearsed, write_lacking_manifests

TARGETS = ("garage", "gotosocial")
CONFIGURATION = {
    "domain": DOMAIN,
    "initialUser": {"displayName": "Testy McTestface", "username": "test", "email": EMAIL},
    "gotosocial": {"enable": True, "exposes": ["public_timeline"]},
}
REPOSITORY = "/srv/backups"
FILES = f"cd {REPOSITORY} && find . -type f -exec sha256sum {{}} + | sort"
POLICY = f"""
[policies.backup]
repository = "{REPOSITORY}"
"""

QUERY = "cd / && runuser -u postgres -- psql --dbname gotosocial --no-align --tuples-only --command"
TABLES = "select table_name from information_schema.tables where table_schema = 'public'"

SLOW = {"migration_seconds": 5, "write_seconds": 2}
"""How the stand-in behaves from its next start on: ready late, and with little time for a request."""

pytestmark = pytest.mark.lab


class Deployer:
    """The command line, with GoToSocial's configuration."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.configuration = lab.directory / "configuration.json"
        self.configuration.write_text(json.dumps(CONFIGURATION))
        lab.environment_file.write_text(lab.environment_file.read_text() + POLICY)
        lab.announce(load_environment(lab.environment_file).deployment(load_configuration(self.configuration)))

    def succeed(self, verb: str, *arguments: str) -> str:
        files = [] if verb == "remove" else [str(self.configuration)]
        where = ["-e", str(self.lab.environment_file)]
        command = [sys.executable, "-m", "fedikit", *verb.split(), *arguments, *files, *where]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def planned(self) -> list[str]:
        """What would change."""
        hosts = json.loads(self.succeed("plan", "--json"))["hosts"]
        return [change["id"] for host in hosts.values() for change in host["changes"]]


@pytest.fixture(scope="module")
def deployer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    with Lab(tmp_path_factory.mktemp("gotosocial"), machines=TARGETS) as lab:
        yield Deployer(lab)


def test_the_whole_life_of_a_server(deployer: Deployer) -> None:
    lab = deployer.lab
    before = {name: picture_of(lab, name) for name in TARGETS}

    deployer.succeed("apply", "--yes")

    results = json.loads(deployer.succeed("verify", "--json"))["results"]
    assert [result["name"] for result in results if not result["passed"]] == []
    assert deployer.planned() == []

    password = deployer.succeed("secret show", "gotosocial/initial-user").strip()
    with App(lab) as app:
        assert not app.sign_in("not the password")
        assert app.sign_in(password)
        assert app.told("GET", "/api/v1/user")["admin"] is True
        assert app.told("GET", "/api/v1/accounts/verify_credentials")["display_name"] == "Testy McTestface"
        assert_a_picture_comes_out_of_the_bucket(app)
        assert_its_backup_is_proven(deployer)
        assert_its_database_and_its_bucket_move(deployer, app)
        by_hand = {"old_password": password, "new_password": "the user's own idea of it"}
        app.told("POST", "/api/v1/user/password_change", data=by_hand)
    found = lab["gotosocial"].run(f"grep -r -l -F '{password}' /etc /var/log; journalctl --grep '{password}' --quiet")
    assert found.stdout == ""

    lab["gotosocial"].succeed(f"echo '{json.dumps(SLOW)}' >/srv/gotosocial-cache/contract.json")
    path = lab.environment_file
    path.write_text(path.read_text() + '\n[secrets.versions]\n"gotosocial/initial-user" = 2\n')
    assert deployer.planned() == ["job:gotosocial initial user"]
    deployer.succeed("apply", "--yes")
    newer = deployer.succeed("secret show", "gotosocial/initial-user").strip()
    assert newer != password
    with App(lab) as app:
        assert not app.sign_in(password)
        assert app.sign_in(newer)
        assert len(app.told("GET", "/api/v1/tokens?limit=80")) == 1, "the new password ended all other sessions"
        assert_a_slow_upload_arrives(app)
    assert deployer.planned() == []

    deployer.succeed("remove", "--yes", "--purge", "--confirm", "lab")
    assert {name: changes(before[name], picture_of(lab, name)) for name in TARGETS} == {name: [] for name in TARGETS}


def assert_a_picture_comes_out_of_the_bucket(app: App) -> None:
    media = app.told("POST", "/api/v1/media", files={"file": ("a.png", picture(), "image/png")})
    app.told("POST", "/api/v1/statuses", data={"status": "A day at the sea", "media_ids[]": media["id"]})
    assert app.ask("GET", httpx.URL(media["url"]).path).content == picture()


def assert_its_backup_is_proven(deployer: Deployer) -> None:
    """Rows and objects are as they were, what lacks is found, and a browser shows the newest post."""
    lab = deployer.lab
    lab["gotosocial"].succeed(f"mkdir {REPOSITORY}")
    made = json.loads(deployer.succeed("backup now", "--json"))["applications"][0]["backup"]
    write_lacking_manifests(lab["gotosocial"], "gotosocial")
    room = lab.directory / "proofs" / "tried"
    asked = Asked(
        environment=load_environment(lab.environment_file), configuration=load_configuration(deployer.configuration),
        application="gotosocial", room=room, picture=room.with_suffix(".png"),
    )  # fmt: skip
    rehearsed = Rehearsed(room / "lab", lab["gotosocial"], "gotosocial", made["id"])
    before = lab["gotosocial"].succeed(FILES)

    proof = prove_backup(asked, tell=rehearsed)

    assert proof.succeeded, proof.findings
    assert {part.kind: part.counts for part in proof.backups[0].backup.parts} == {
        "postgresql": made["parts"][0]["counts"],
        "bucket": {"objects": 2},
    }
    assert "there is no table lost; the backup has it, with 3 rows" in rehearsed.found["postgresql"]
    assert rehearsed.found["bucket"] == "the listing of the backup has 2 objects, and was to have 3"
    assert proof.post.startswith(f"https://{SITE}/@test/statuses/")
    assert asked.picture
    assert asked.picture.read_bytes().startswith(b"\x89PNG")
    assert rehearsed.refused == [lab["gotosocial"].address, "9.9.9.9"], "the machines reach nobody"
    assert rehearsed.timers == "", "nothing backs up from there"
    assert rehearsed.writing == "501", "the repository takes nothing from there"
    assert lab["gotosocial"].succeed(FILES) == before


def assert_its_database_and_its_bucket_move(deployer: Deployer, app: App) -> None:
    """Each to the machine where the other was: all rows and objects are there, and what was left is kept."""
    lab, path = deployer.lab, deployer.lab.environment_file
    media = app.told("POST", "/api/v1/media", files={"file": ("b.png", picture(), "image/png")})
    rows = rows_on(lab["gotosocial"])
    assert rows["statuses"] > 0
    text = path.read_text()
    assert text.count('host = "garage"') == 1
    text = text.replace('host = "garage"', 'host = "gotosocial"')
    path.write_text(text + '\n[policies.postgresql]\nhost = "garage"\n')

    report = json.loads(deployer.succeed("move", "--yes", "--json"))

    assert report["compared"] == {"gotosocial": []}
    assert deployer.planned() == []
    assert rows_on(lab["garage"]) == rows
    assert app.ask("GET", httpx.URL(media["url"]).path).content == picture()
    hosts = json.loads(deployer.succeed("plan", "--json"))["hosts"]
    assert "database:postgresql/gotosocial" in hosts["gotosocial"]["kept"]
    assert "bucket:gotosocial" in hosts["garage"]["kept"]
    lab["gotosocial"].succeed(f"rm --recursive {REPOSITORY}")


def rows_on(machine: Machine) -> dict[str, int]:
    """By table, how many rows the machine's database of it has."""
    tables = machine.succeed(f'{QUERY} "{TABLES}"').split()
    counts = " union all ".join(f"select '{table}', count(*) from {table}" for table in tables)
    lines = machine.succeed(f'{QUERY} "{counts}"').splitlines()
    return {table: int(count) for table, count in (line.split("|") for line in lines)}


def assert_a_slow_upload_arrives(app: App) -> None:
    """It takes longer than GoToSocial gives a request, but Caddy keeps it until it is there."""
    body = b"status=A+long+way"

    def slowly() -> Iterator[bytes]:
        yield body[:6]
        time.sleep(3)
        yield body[6:]

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    headers = {"Authorization": f"Bearer {app.token}", **form}
    answer = app.client.post("/api/v1/statuses", content=slowly(), headers=headers, extensions={"sni_hostname": SITE})
    assert answer.status_code == 200, answer.text
