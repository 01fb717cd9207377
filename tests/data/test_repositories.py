"""Repositories behind a server, for real: one that lets nobody delete, and ones that refuse, are away or are others."""

from collections.abc import Iterator

import pytest

from tests.data.conftest import PROGRAM, Place, last_event

pytestmark = pytest.mark.lab

VOLUME = "/srv/far"
PART = {"id": "volume:far", "kind": "volume", "path": VOLUME, "leave_out": []}
WAYS = {"access_key": "", "user": "", "upload_kib": 0, "download_kib": 0}
KEY = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=far "
    "-addext subjectAltName=IP:127.0.0.1 -keyout /root/far.key -out /usr/local/share/ca-certificates/far.crt"
)
NOTED = "/var/lib/fedikit-data/far /etc/fedikit/data/far*"
SERVE = (
    "systemd-run --unit=far --collect rclone serve restic /srv/far-repository --append-only --addr=127.0.0.1:8444 "
    "--cert=/usr/local/share/ca-certificates/far.crt --key=/root/far.key --user=far --pass=open-sesame"
)

NOTHING_IS_YOUNG = (
    f"import sys; sys.path.insert(0, '{PROGRAM}'); sys.argv[0] = '{PROGRAM}'; import datetime, runpy; "
    "from onhost import keeping; keeping.YOUNG, keeping.NEWEST = datetime.timedelta(0), 1; "
    f"runpy.run_path('{PROGRAM}', run_name='__main__')"
)
"""The program where what it keeps of the last day does not count: no day goes by in a test."""


@pytest.fixture(scope="module")
def far(place: Place) -> Iterator[Place]:
    """An application with one file, whose repository is a REST server's that only adds, reached by TLS."""
    machine = place.machine
    machine.succeed(f"mkdir -p {VOLUME} /srv/far-repository; echo one >{VOLUME}/file; {KEY}; update-ca-certificates")
    machine.succeed(SERVE)
    keep = {"daily": 1, "weekly": 0, "monthly": 0}
    place.set_up("far", [PART], keep=keep, repository=WAYS | {"url": "rest:https://127.0.0.1:8444/far", "user": "far"})
    place.secret("far", "rest-password", "open-sesame")
    yield place
    machine.succeed(f"systemctl stop far; rm -rf /srv/far* {NOTED} /usr/local/share/ca-certificates/far.crt")
    machine.succeed("update-ca-certificates --fresh")


def test_a_repository_that_only_adds_has_good_backups_with_a_note(far: Place) -> None:
    assert far.done("backup", "far")["result"]["note"] == ""
    far.machine.succeed(f"echo two >{VOLUME}/file")
    told = far.machine.run(f'python3 -I -c "{NOTHING_IS_YOUNG}" backup far', seconds=60)
    result = last_event(told)["result"]
    assert "lets nothing be deleted: it has 2 snapshots more than are to be kept" in result["note"]
    assert result["last"]["failed"] is False
    far.done("check", "far")


def test_a_server_that_lets_this_host_not_in_or_is_another_is_told_in_words(far: Place) -> None:
    """Nobody waits long for that, and no repository is taken for gone."""
    far.secret("far", "rest-password", "wrong")
    assert "lets this host not in" in far.trouble("backup", "far")["hint"]
    far.secret("far", "rest-password", "open-sesame")

    key = far.machine.key_file.read_text()
    far.machine.succeed("ssh-keygen -q -t ed25519 -N '' -f /root/other-key")
    # restic may end before it has passed on what ssh said; then it is told of the key among others.
    for port, secret, words in ((2, key, "server is up"), (22, "", "the key")):
        url = f"sftp://root@{far.machine.address}:{port}//srv/far-away"
        far.set_up("away", [PART], repository=WAYS | {"url": url})
        far.secret("away", "ssh-key", secret or far.machine.succeed("cat /root/other-key"))
        host = f"[{far.machine.address}]:{port}" if port != 22 else far.machine.address
        far.secret("away", "known_hosts", f"{host} {far.machine.host_key}\n")
        assert words in far.trouble("backup", "away")["hint"]
    far.machine.succeed("rm -r /root/other-key* /var/lib/fedikit-data/away /etc/fedikit/data/away*")
