"""Databases, as far as no server is needed: what is said to psql and mariadb, and what is made of their answers."""

import hashlib
import json
import stat
from binascii import a2b_base64
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent import mariadb, postgresql
from fedikit.agent.blobs import Blobs
from fedikit.agent.hands import Hands
from fedikit.agent.kinds import database
from fedikit.agent.trouble import Trouble
from fedikit.agent.work import Work
from tests.agent.conftest import Host, Item

PASSWORD = "correcthorse"
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
SAMPLE = (
    f"SCRAM-SHA-256$4096:{SALT}$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)
"""The server's own form of the password `pencil`, whose stored key and server key RFC 7677 gives."""


class Server(Hands):
    """Hands that hand each question to nobody, and answer from a list; an empty answer is a server that is off."""

    def __init__(self, root: Path, *answers: str) -> None:
        super().__init__(str(root), b"key")
        self.answers = list(answers)
        self.questions: list[list[str]] = []
        self.scripts: list[str] = []
        self.complains = ""

    def unit(self, name: str) -> dict[str, Any]:
        return {"active": bool(self.complains)}

    def complaint(self, command: list[str]) -> str:
        return self.complains

    def ask(self, command: list[str]) -> str:
        self.questions.append(command)
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]) if self.answers else ""

    def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
        assert PASSWORD not in " ".join(command)
        self.scripts.append(stdin.decode())
        return ""


def wanted(engine: str, **fields: Any) -> Item:
    collation = {"postgresql": "C.UTF-8", "mariadb": "utf8mb4_unicode_ci"}[engine]
    usual = {"name": "app", "user": "app", "collation": collation, "extensions": [], "clients": [], "data": True}
    return {"id": f"database:{engine}/app", "kind": "database", "engine": engine, "seal": "s1", **usual, **fields}


def work_on(item: Item, **entry: Any) -> Work:
    work = Work(Blobs("/nowhere"), {item["id"]: PASSWORD}, purge=True)
    work.entry = {"item": item, "prior": {"type": "absent"}, "done": None, **entry}
    return work


def postgres_answer(*, role: dict[str, Any] | None = None, **row: Any) -> str:
    about = {
        "owner": "app", "encoding": "UTF8", "datcollate": "C.UTF-8", "datlocprovider": "c",
        "public": False, "comment": "made by fedikit",
    }  # fmt: skip
    usual_role = {"password": SAMPLE, "login": True, "super": False}
    return json.dumps({"role": role if role is not None else usual_role, "database": about | row}) + "\n"


NOTHING = json.dumps({"role": None, "database": None}) + "\n"
MARIA_ACCOUNTS = "".join(
    f"account\t{host}\tmysql_native_password\t*AB\t0\t0\n" for host in ("127.0.0.1", "::1", "localhost")
)
MARIA_GRANTS = "".join(f"grant\t{host}\t1\tapp\n" for host in ("127.0.0.1", "::1", "localhost"))
MARIA = "server\ndatabase\tutf8mb4\tutf8mb4_unicode_ci\tmade by fedikit\n" + MARIA_GRANTS + MARIA_ACCOUNTS


@pytest.fixture
def servers(tmp_path: Path) -> Path:
    """A root in which both servers are installed."""
    for program in ("usr/lib/postgresql/9.6/bin/postgres", "usr/lib/postgresql/17/bin/postgres", "usr/sbin/mariadbd"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / program).touch()
    return tmp_path


KIND = database.DatabaseKind()


def test_the_verifiers_are_what_the_servers_themselves_would_make() -> None:
    assert postgresql.verifier_of(b"pencil", a2b_base64(SALT)) == SAMPLE
    assert postgresql.is_verifier_of(SAMPLE, b"pencil")
    assert not postgresql.is_verifier_of(SAMPLE, b"pencils")
    assert not postgresql.is_verifier_of("md5" + "0" * 32, b"pencil")
    assert not postgresql.is_verifier_of("", b"pencil")
    assert mariadb.verifier_of(b"password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_without_a_server_a_database_is_absent_and_its_data_are_not_forgotten(tmp_path: Path, engine: str) -> None:
    item, hands = wanted(engine), Server(tmp_path)
    assert KIND.observe(hands, item) == {"type": "absent"}
    (tmp_path / "var/lib/postgresql/17").mkdir(parents=True)
    (tmp_path / "var/lib/mysql/mysql").mkdir(parents=True)
    state = KIND.observe(hands, item)
    assert "is not installed" in KIND.differences(item, state, "")[0]
    assert KIND.conflict(item, state) == ""
    assert "what is left lies in /var/lib/" in KIND.remove(hands, item, work_on(item))
    assert hands.questions == []


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_a_server_that_does_not_answer_is_said(servers: Path, engine: str) -> None:
    item, hands = wanted(engine), Server(servers)
    state = KIND.observe(hands, item)
    assert (state["type"], "does not answer" in KIND.differences(item, state, "")[0]) == ("absent", True)


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_a_server_is_waited_for_and_named_in_trouble(
    servers: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(database, "POLL_SECONDS", 0.001)
    item = wanted(engine)
    with pytest.raises(Trouble, match="did not answer within") as caught:
        KIND.converge(Server(servers), item, work_on(item))
    assert engine in caught.value.hint
    assert "journalctl --unit" in caught.value.hint


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_the_package_is_named_where_there_is_no_server(tmp_path: Path, engine: str) -> None:
    item = wanted(engine)
    with pytest.raises(Trouble, match="on this host") as caught:
        KIND.converge(Server(tmp_path), item, work_on(item))
    assert engine in caught.value.hint
    assert KIND.remove(Server(tmp_path), item, work_on(item)) == ""


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_a_server_that_never_started_holds_nothing_that_could_be_dropped(servers: Path, engine: str) -> None:
    item, hands = wanted(engine), Server(servers)
    assert KIND.remove(hands, item, work_on(item)) == ""
    assert hands.scripts == []


@pytest.mark.parametrize(("engine", "answer"), [("postgresql", postgres_answer()), ("mariadb", MARIA)])
def test_a_password_is_known_by_what_was_noted_of_it(servers: Path, engine: str, answer: str) -> None:
    item, hands = wanted(engine), Server(servers, answer)
    state = KIND.observe(hands, item)
    noted = f"s1:{state['verifier']}"
    assert KIND.differences(item, state, "") == ["its password is not known"]
    assert KIND.differences(item, state, noted) == []
    assert KIND.differences({**item, "seal": "s2"}, state, noted) == ["password changed"]
    assert KIND.differences(item, state, "s1:other") == ["password was changed by hand on the host"]


@pytest.mark.parametrize(("engine", "answer"), [("postgresql", postgres_answer()), ("mariadb", MARIA)])
def test_what_the_server_keeps_of_a_password_is_in_no_state(servers: Path, engine: str, answer: str) -> None:
    state = json.dumps(KIND.observe(Server(servers, answer), wanted(engine)))
    assert "SCRAM" not in state
    assert "*AB" not in state
    assert hashlib.sha256(SAMPLE.encode()).hexdigest() not in state


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"owner": "eve"}, "owner eve → app"),
        ({"public": True}, "every user of the server may connect"),
        ({"role": {"password": "", "login": False, "super": False}}, "the user app may not log in"),
        ({"role": {}}, "no user app"),
    ],
)
def test_what_differs_in_postgresql_is_said(servers: Path, row: dict[str, Any], reason: str) -> None:
    item = wanted("postgresql")
    assert reason in KIND.differences(item, KIND.observe(Server(servers, postgres_answer(**row)), item), "")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"owner": "eve", "comment": None}, "belongs to eve, and was not made by fedikit"),
        ({"encoding": "LATIN1"}, "has LATIN1, C.UTF-8, not UTF8, C.UTF-8"),
        ({"datcollate": "de_DE.UTF-8"}, "a dump and a restore"),
        ({"datlocprovider": "i"}, "a dump and a restore"),
        ({"role": {"password": "", "login": True, "super": True}}, "superuser"),
    ],
)
def test_what_cannot_be_mended_in_postgresql_is_a_conflict(servers: Path, row: dict[str, Any], words: str) -> None:
    item = wanted("postgresql")
    assert words in KIND.conflict(item, KIND.observe(Server(servers, postgres_answer(**row)), item))
    spelt_otherwise = KIND.observe(Server(servers, postgres_answer(datcollate="C.utf8")), item)
    assert KIND.conflict(item, spelt_otherwise) == ""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (MARIA.replace("made by fedikit", "").replace("grant\t", "other\t"), "was not made by fedikit"),
        (MARIA.replace("utf8mb4_unicode_ci", "utf8mb4_bin"), "a dump and a restore"),
        (MARIA.replace("\t*AB\t0", "\t*AB\t1"), "privileges over the whole server"),
    ],
)
def test_what_cannot_be_mended_in_mariadb_is_a_conflict(servers: Path, answer: str, words: str) -> None:
    item = wanted("mariadb")
    assert words in KIND.conflict(item, KIND.observe(Server(servers, answer), item))


def test_a_database_of_postgresql_is_made_with_its_owner_and_no_password(servers: Path) -> None:
    item = wanted("postgresql", extensions=["pg_trgm"])
    hands = Server(servers, NOTHING, "", postgres_answer() + '["pg_trgm"]\n')
    work = work_on(item)
    KIND.converge(hands, item, work)
    (script,) = hands.scripts
    assert script.startswith("SET log_min_error_statement = panic;\n")
    assert "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C.UTF-8';" in script
    assert script.index("\\connect") < script.index('CREATE EXTENSION IF NOT EXISTS "pg_trgm"')
    assert PASSWORD not in script
    assert work.done.startswith("s1:")
    assert all(f"{servers}/usr/lib/postgresql/17/bin/psql" in question for question in hands.questions)


def test_a_password_that_holds_already_is_not_set_again(servers: Path) -> None:
    item = wanted("postgresql")
    stored = postgresql.verifier_of(PASSWORD.encode(), b"salt")
    hands = Server(servers, postgres_answer(), stored + "\n", postgres_answer())
    KIND.converge(hands, item, work_on(item))
    assert "PASSWORD" not in "".join(hands.scripts)


def test_a_password_that_servers_would_read_in_two_ways_is_refused(servers: Path) -> None:
    item = wanted("postgresql")
    work = work_on(item)
    work.secrets[item["id"]] = "größe"
    with pytest.raises(Trouble, match="printable ASCII"):
        KIND.converge(Server(servers, NOTHING), item, work)


def test_an_adopted_database_needs_no_password_to_be_at_hand(servers: Path) -> None:
    item, hands = wanted("postgresql"), Server(servers, postgres_answer())
    work = work_on(item, done=f"s1:{KIND.observe(hands, item)['verifier']}")
    work.secrets.clear()
    KIND.converge(hands, item, work)
    assert hands.scripts == []


@pytest.mark.parametrize(
    "prior", [{"type": "database"}, {"type": "absent", "server": "does not answer"}], ids=["there", "unseen"]
)
def test_what_was_there_before_is_never_dropped(servers: Path, prior: dict[str, str]) -> None:
    item, hands = wanted("postgresql"), Server(servers, postgres_answer(comment=None))
    assert "stays" in KIND.remove(hands, item, work_on(item, prior=prior))
    assert hands.scripts == []


def test_what_is_found_when_the_server_runs_at_last_is_noted_as_there_before(servers: Path) -> None:
    item, hands = wanted("postgresql"), Server(servers, postgres_answer(comment=None))
    work = work_on(item, prior={"type": "absent", "server": "does not answer"})
    KIND.converge(hands, item, work)
    assert work.prior["type"] == "database"
    assert "COMMENT" not in "".join(hands.scripts)


def test_a_user_who_was_there_before_stays(servers: Path) -> None:
    item, hands = wanted("postgresql"), Server(servers, postgres_answer())
    kept = KIND.remove(hands, item, work_on(item, prior={"type": "absent", "user": True}))
    assert "its user app" in kept
    assert ["DROP DATABASE" in script for script in hands.scripts] == [True]


def test_names_and_texts_cannot_break_out_of_their_quotes(servers: Path) -> None:
    item = wanted("postgresql", name='a"; DROP', user="o'b")
    hands = Server(servers, NOTHING, "", postgres_answer(owner="o'b"))
    KIND.converge(hands, item, work_on(item))
    assert 'CREATE DATABASE "a""; DROP" OWNER "o\'b"' in hands.scripts[0]
    assert "rolname = 'o''b'" in " ".join(hands.questions[0])


def test_a_plan_asks_one_question_and_changes_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the agent as it travels; psql and runuser are scripts that count how often they are called."""
    programs = host.root / "usr/lib/postgresql/17/bin"
    programs.mkdir(parents=True)
    (programs / "postgres").touch()
    _script(programs / "psql", f"echo asked >>{host.root}/count; echo '{postgres_answer().strip()}'")
    _script(host.root / "usr/bin/runuser", 'shift 3; exec "$@"')
    monkeypatch.setenv("PATH", f"{host.root}/usr/bin:/usr/bin:/bin")
    (change,) = host.plan(wanted("postgresql"))["changes"]
    assert (change["action"], change["reasons"]) == ("update", ["its password is not known"])
    assert host.text("/count") == "asked\n"
    assert not host.home.exists()


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def conflict_of(server: Server, engine: str) -> str:
    return KIND.conflict(wanted(engine), KIND.observe(server, wanted(engine)))


def set_up(root: Path, cluster: str, **files: str) -> None:
    folder = root / "etc/postgresql" / cluster
    (folder / "conf.d").mkdir(parents=True)
    (folder / "postgresql.conf").write_text("#port = 1\nport = 5432\t# (change requires restart)\n")
    for name, text in files.items():
        (folder / name.replace("__", "/")).with_suffix(".conf").write_text(text)


@pytest.mark.parametrize(
    ("clusters", "words"),
    [
        ({}, ""),
        ({"17/main": {}}, ""),
        ({"17/main": {"postgresql": "port 5433\n"}}, "listens at port 5433; applications look for it at 5432"),
        ({"17/main": {"conf.d__own": "Port = '6000'\n"}}, "the cluster 17/main listens at port 6000"),
        ({"17/wiki": {}}, "there is no cluster 17/main on this host, but 17/wiki"),
        ({"15/main": {}, "17/wiki": {}}, "there is no cluster 17/main on this host, but 15/main, 17/wiki"),
        ({"15/main": {"postgresql": "port = 5433\n"}, "17/main": {}}, ""),
    ],
)
def test_a_cluster_that_applications_would_not_find_is_refused_when_planning(
    servers: Path, clusters: dict[str, dict[str, str]], words: str
) -> None:
    for cluster, files in clusters.items():
        set_up(servers, cluster, **files)
    server = Server(servers, NOTHING)
    told = conflict_of(server, "postgresql")
    assert words in told
    assert bool(told) == bool(words)
    if words:
        with pytest.raises(Trouble, match=words.partition(";")[0]):
            KIND.converge(server, wanted("postgresql"), work_on(wanted("postgresql")))
        assert server.scripts == []


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_a_server_that_runs_and_lets_nobody_in_is_refused_in_its_own_words(servers: Path, engine: str) -> None:
    server = Server(servers)
    assert conflict_of(server, engine) == "", "one that does not run may be started by this apply"
    server.complains = "FATAL:  password authentication failed"
    assert conflict_of(server, engine).endswith(
        "runs, and does not let its administrator in: FATAL:  password authentication failed"
    )


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("server\t3306\t0", ""),
        ("server\t3307\t0", "the server listens at port 3307; applications look for it at 3306"),
        ("server\t0\t1", "the server listens at no port (skip-networking), and applications come by one"),
    ],
)
def test_a_mariadb_that_applications_would_not_find_is_refused_when_planning(
    servers: Path, says: str, words: str
) -> None:
    assert conflict_of(Server(servers, MARIA.replace("server", says, 1)), "mariadb") == words


def test_what_a_command_complains_of_is_one_line_without_signs_that_would_draw(tmp_path: Path) -> None:
    words = Hands().complaint(["sh", "-c", "echo answer; printf 'one\\ntw\\033[31mo\\n' >&2"])
    assert words == "tw[31mo"
