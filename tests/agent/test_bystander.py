"""What was there before a package came is noted before it comes, and is there again when it has left."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent import bystander
from fedikit.agent.blobs import Blobs
from fedikit.agent.control import accounts_taken, control_of, files_taken, trees_taken
from fedikit.agent.hands import Hands
from tests.agent.conftest import Host

POSTRM = """\
#!/bin/sh
if [ "$1" = purge ]; then
    rm -rf /var/lib/app /etc/app.d \\
        "/srv/app/$VERSION/data"
    rm -f /etc/app.key
    deluser --quiet --system app || true
    rm -rf /var/lib/$NAME /etc
fi
"""


@pytest.fixture
def deb(host: Host, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A package in the host's store: a program, a unit, a configuration file, and a script that deletes."""
    tree = tmp_path_factory.mktemp("deb")
    for path in ("usr/bin/app", "usr/lib/systemd/system/app.service", "etc/app.conf"):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text("the package's\n")
    control = {
        "control": "Package: app\nVersion: 1\nArchitecture: all\nMaintainer: us\nDescription: an app\n",
        "conffiles": "/etc/app.conf\n",
        "postrm": POSTRM,
        "md5sums": "".join(f"{'0' * 32}  {path}\n" for path in ("usr/bin/app", "usr/lib/systemd/system/app.service")),
    }
    (tree / "DEBIAN").mkdir()
    for name, text in control.items():
        (tree / "DEBIAN" / name).write_text(text)
    (tree / "DEBIAN/postrm").chmod(0o755)
    built = tree.with_suffix(".deb")
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, built], check=True, capture_output=True)
    sha256 = hashlib.sha256(built.read_bytes()).hexdigest()
    blobs(host).add(sha256, [built.read_bytes()])
    return {"name": "app", "version": "1", "sha256": sha256}


def blobs(host: Host) -> Blobs:
    return Blobs(str(host.home / "store"))


def noted(host: Host, deb: dict[str, str], *known: str) -> dict[str, Any]:
    return bystander.noted(Hands(str(host.root)), [deb], blobs(host), known=set(known))


def put(host: Host, path: str, text: str = "mine\n") -> Path:
    place = host.root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def test_a_package_tells_what_it_would_put_and_delete(host: Host, deb: dict[str, str]) -> None:
    control = control_of(blobs(host).path(deb["sha256"]))
    assert control.shipped == ["/usr/bin/app", "/usr/lib/systemd/system/app.service"]
    assert control.conffiles == ["/etc/app.conf"]
    assert trees_taken(control.postrm) == {"/var/lib/app", "/etc/app.d", "/srv/app"}
    assert "/etc/app.key" in files_taken(control.postrm)
    assert "app" in accounts_taken(control.postrm)


def test_on_a_host_where_nothing_of_it_was_there_nothing_is_noted(host: Host, deb: dict[str, str]) -> None:
    assert noted(host, deb) == {}


@pytest.mark.parametrize("path", ["/var/lib/app/data", "/srv/app/17/data", "/etc/app/own.conf", "/var/log/app/log"])
def test_a_package_that_would_delete_what_was_there_is_never_purged(host: Host, deb: dict[str, str], path: str) -> None:
    put(host, path)
    (told,) = noted(host, deb).values()
    assert told["type"] == "package"
    assert path.startswith(told["stays"] + "/")
    assert noted(host, deb, "app") == {}, "of a package that was here, they are its own"


def test_neither_is_one_whose_configuration_or_user_was_there(host: Host, deb: dict[str, str]) -> None:
    put(host, "/etc/group", "root:x:0:\napp:x:990:\n")
    assert noted(host, deb) == {"package:app": {"type": "package", "stays": "the user app"}}
    status = "Package: app\nStatus: deinstall ok config-files\nVersion: 1\n\n"
    put(host, "/var/lib/dpkg/status", status)
    assert noted(host, deb)["package:app"]["stays"] == "its configuration"


@pytest.mark.parametrize("path", ["/usr/bin/app", "/etc/app.conf", "/etc/app.key"])
def test_a_file_in_the_place_of_the_packages_comes_back(host: Host, deb: dict[str, str], path: str) -> None:
    place = put(host, path)
    place.chmod(0o640)
    found = noted(host, deb)
    place.unlink()
    bystander.bring_back(Hands(str(host.root)), found, blobs(host))
    assert (place.read_text(), place.stat().st_mode & 0o777) == ("mine\n", 0o640)


def test_a_file_that_was_edited_meanwhile_comes_back_as_it_was_then(host: Host, deb: dict[str, str]) -> None:
    hands, place = Hands(str(host.root)), put(host, "/etc/app.conf")
    found = noted(host, deb)
    put(host, "/etc/app.conf", "edited\n")
    put(
        host,
        "/var/lib/dpkg/status",
        "Package: app\nStatus: install ok installed\nVersion: 1\nConffiles:\n /etc/app.conf 0\n",
    )
    put(host, "/var/lib/dpkg/info/app.list", "/etc/app.conf\n/usr/bin/app\n")
    found |= bystander.renewed(hands, found, blobs(host))
    place.unlink()
    bystander.bring_back(hands, found, blobs(host))
    assert place.read_text() == "edited\n"


def test_what_belongs_to_another_package_is_no_bystander(host: Host, deb: dict[str, str]) -> None:
    put(host, "/usr/bin/app")
    put(host, "/var/lib/app/data")
    put(host, "/var/lib/dpkg/info/other.list", "/bin/app\n/usr/bin/app\n/var/lib/app\n")
    assert noted(host, deb) == {}


def test_an_administrators_unit_is_noted_with_how_it_ran(
    host: Host, deb: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(host, "/etc/systemd/system/app.service")
    monkeypatch.setattr(Hands, "unit", lambda *_: {"exists": True, "active": True, "enabled": False})
    assert noted(host, deb) == {"unit:app.service": {"type": "unit", "active": True, "enabled": False}}


def test_what_was_noted_survives_in_the_ledger(host: Host) -> None:
    host.apply(host.file("/etc/a", "a\n"))
    ledger = host.home / "deployments/test/ledger.json"
    told = json.loads(ledger.read_text())
    assert {"bystanders", "automatic", "unmarked", "seen"} <= told.keys()
