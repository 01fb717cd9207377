"""The units of systemd: what they say, whether systemd takes them, and that they come and go."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment.environment import Environment, Policies
from fedikit.environment.watch import Watch
from fedikit.errors import ConfigurationError, FedikitError
from fedikit.model.deployment import Secrets
from fedikit.model.host import Local, Ssh
from fedikit.watch.install import Systemd, install, next_time, uninstall
from fedikit.watch.proof_timer import CALENDARS, ProofTimer
from fedikit.watch.timer import Timer, calendar_of

HOST = Ssh(
    address="192.0.2.1",
    host_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOVQdbIsDJHA4QZgvZNgxjWhaO37NI4fy0OP9zcmb7Iw",
)
TOLD: dict[str, Any] = {"webhook": {"url": "https://hooks.example/"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "environment.toml").write_text("")
    return tmp_path


def timer_in(folder: Path, *, is_system: bool = True, every: str = "10min", **environment: Any) -> Timer:
    given = {"name": "lab", "hosts": {"one": HOST}, "watch": Watch.model_validate(TOLD)} | environment
    files = folder / "environment.toml", folder / "configuration.json"
    return Timer(Environment(**given), *files, every=every, is_system=is_system, python="/usr/bin/python3")


NEXT = "Fri 2026-11-27 12:40:00 UTC"


def fake_systemctl(folder: Path, state: str = "waiting", next_at: str = NEXT) -> tuple[Path, Path]:
    """A systemctl that notes what it is asked, and where it notes it."""
    notes, command = folder / "asked", folder / "systemctl"
    shown = f"NextElapseUSecRealtime={next_at}\nSubState={state}\n"
    command.write_text(f'#!/bin/sh\necho "$@" >> {notes}\nprintf "{shown}"\n')
    command.chmod(0o755)
    return command, notes


@pytest.fixture
def systemd(folder: Path) -> Systemd:
    return Systemd(folder / "units", is_system=True, command=str(fake_systemctl(folder)[0]))


@pytest.mark.parametrize("is_system", [True, False])
@pytest.mark.parametrize("name", ["plain", 'with space, 100% "quoted" $HOME'])
def test_systemd_takes_the_units(tmp_path: Path, is_system: bool, name: str) -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze, "the machine that tests has systemd's tools"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "environment.toml").write_text("")
    timer = timer_in(folder, is_system=is_system)
    files = [tmp_path / f"{timer.name}.service", tmp_path / f"{timer.name}.timer"]
    for file, text in zip(files, (timer.service, timer.timer), strict=True):
        file.write_text(text)
    command = [
        analyze,
        *([] if is_system else ["--user"]),
        "--man=no",
        "--recursive-errors=no",
        "verify",
        *map(str, files),
    ]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    ours = [line for line in done.stderr.splitlines() if timer.name in line]
    assert (done.returncode, ours) == (0, [])


def test_the_machines_unit_has_no_more_rights_than_looking_takes(folder: Path) -> None:
    lines = timer_in(folder).service.splitlines()
    wanted = "ProtectSystem=strict ProtectHome=read-only NoNewPrivileges=yes CapabilityBoundingSet= UMask=0077".split()
    assert [line for line in wanted if line not in lines] == []
    assert f'ReadWritePaths="{folder}/.fedikit-watch"' in lines
    assert f"WorkingDirectory={folder}" in lines
    assert "User=root" in lines


def test_a_users_unit_hides_from_nobody_whom_files_belong_to(folder: Path) -> None:
    service = timer_in(folder, is_system=False).service
    assert "NoNewPrivileges=yes" in service
    assert not [word for word in ("Protect", "Private", "User=", "ReadWritePaths") if word in service]


def test_an_agent_on_this_very_machine_is_kept_from_nothing(folder: Path) -> None:
    service = timer_in(folder, hosts={"here": Local()}).service
    assert not [word for word in ("Protect", "NoNewPrivileges", "CapabilityBoundingSet") if word in service]


def test_a_look_that_was_missed_is_made_up_for_and_not_all_look_at_once(folder: Path) -> None:
    timer = timer_in(folder, every="5min").timer
    assert "OnCalendar=*:00/5\n" in timer
    assert "Persistent=true\n" in timer
    assert "RandomizedDelaySec=30\n" in timer


@pytest.mark.parametrize(
    ("every", "calendar", "seconds"),
    [
        ("1min", "*:00/1", 60),
        ("10min", "*:00/10", 600),
        ("60min", "*:00", 3600),
        ("1h", "00/1:00", 3600),
        ("24h", "00:00", 86400),
    ],
)
def test_a_time_is_written_as_systemd_does(every: str, calendar: str, seconds: int) -> None:
    assert calendar_of(every) == (calendar, seconds)
    command = ["systemd-analyze", "calendar", calendar]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("every", ["", "7min", "0min", "5h", "10", "10 min", "1h; rm", "90min", "-5min"])
def test_a_time_that_does_not_fit_is_refused(every: str) -> None:
    with pytest.raises(FedikitError, match="cannot be parted so"):
        calendar_of(every)


def test_a_watch_is_installed_and_goes_without_a_trace(folder: Path, systemd: Systemd) -> None:
    before = set(folder.iterdir())
    timer = timer_in(folder)
    files = install(timer, systemd)
    assert [file.read_text() for file in files] == [timer.service, timer.timer]
    assert (folder / ".fedikit-watch").stat().st_mode & 0o777 == 0o700
    assert next_time("fedikit-watch-lab", systemd) == NEXT
    (folder / ".fedikit-watch/lab.json").write_text("{}")

    uninstall(timer.environment_file, "lab", systemd)
    assert set(folder.rglob("*")) - before == {folder / "units", folder / "asked"}
    assert (folder / "asked").read_text().splitlines() == [
        "daemon-reload",
        "enable --now fedikit-watch-lab.timer",
        "show --property SubState --property NextElapseUSecRealtime fedikit-watch-lab.timer",
        "disable --now fedikit-watch-lab.timer",
        "stop fedikit-watch-lab.service",
        "daemon-reload",
    ]


@pytest.mark.parametrize(("state", "said"), [("running", "now"), ("dead", "")])
def test_a_timer_that_is_at_work_is_told_from_one_that_does_not_run(folder: Path, state: str, said: str) -> None:
    """Systemd names no time for either."""
    systemd = Systemd(folder / "units", is_system=True, command=str(fake_systemctl(folder, state, "")[0]))
    install(timer_in(folder), systemd)
    assert next_time("fedikit-watch-lab", systemd) == said


def test_what_was_never_installed_goes_without_asking_systemd(folder: Path, systemd: Systemd) -> None:
    assert uninstall(folder / "environment.toml", "lab", systemd) == ()
    assert next_time("fedikit-watch-lab", systemd) == ""
    assert not (folder / "asked").exists()


BACKUP = {"repository": "s3:https://s3.example.org/backups", "access_key": "k", "proof_days": 14}


def proofs_in(folder: Path, *, is_system: bool = True, **backup: Any) -> ProofTimer:
    policies = Policies.model_validate({"backup": {**BACKUP, **backup}})
    secrets = Secrets(given={"backup/s3-secret": "file:s3.secret"})
    return ProofTimer(timer_in(folder, is_system=is_system, policies=policies, secrets=secrets), "weekly")


@pytest.mark.parametrize("every", CALENDARS)
def test_systemd_takes_the_units_of_proofs(folder: Path, every: str) -> None:
    timer = replace(proofs_in(folder), every=every)
    files = [folder / f"{timer.name}.service", folder / f"{timer.name}.timer"]
    for file, text in zip(files, (timer.service, timer.timer), strict=True):
        file.write_text(text)
    command = ["systemd-analyze", "--man=no", "--recursive-errors=no", "verify", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if timer.name in line]) == (0, [])
    assert "KillSignal=SIGINT\n" in timer.service, "so that the machines are taken down"


def test_proofs_are_installed_beside_the_watch_and_go_with_it_or_before(folder: Path, systemd: Systemd) -> None:
    before, proofs = set(folder.iterdir()), proofs_in(folder)
    install(proofs.watch, systemd, proofs)
    assert sorted(file.name for file in systemd.folder.iterdir()) == [
        f"fedikit-{what}-lab.{kind}" for what in ("prove", "watch") for kind in ("service", "timer")
    ]
    install(proofs.watch, systemd)
    assert sorted(file.name for file in systemd.folder.iterdir()) == [
        "fedikit-watch-lab.service",
        "fedikit-watch-lab.timer",
    ]
    install(proofs.watch, systemd, proofs)
    (folder / ".fedikit-watch/lab.proofs.json").write_text("{}")
    uninstall(proofs.environment_file, "lab", systemd)
    assert set(folder.rglob("*")) - before == {folder / "units", folder / "asked"}
    assert "stop fedikit-prove-lab.service" in (folder / "asked").read_text().splitlines()


def test_proofs_take_root_and_a_limit_after_which_it_is_told_that_there_are_none(folder: Path) -> None:
    with pytest.raises(FedikitError, match="takes root"):
        proofs_in(folder, is_system=False).refuse_what_cannot_prove()
    with pytest.raises(ConfigurationError, match=r"policies\.backup\.proof_days: is missing"):
        proofs_in(folder, proof_days=0).refuse_what_cannot_prove()
    proofs_in(folder).refuse_what_cannot_prove()
    if os.geteuid() == 0:
        os.chown(folder / "environment.toml", 12345, 12345)
        with pytest.raises(FedikitError, match="takes no secrets of others"):
            proofs_in(folder).refuse_what_cannot_prove()


def test_two_environments_of_one_name_do_not_take_each_others_watch(folder: Path, systemd: Systemd) -> None:
    install(timer_in(folder), systemd)
    other = folder / "other"
    other.mkdir()
    (other / "environment.toml").write_text("")
    with pytest.raises(FedikitError, match="is there already, and is not of"):
        install(timer_in(other), systemd)
    with pytest.raises(FedikitError, match="is there already, and is not of"):
        uninstall(other / "environment.toml", "lab", systemd)
    assert install(timer_in(folder, every="1h"), systemd)


def test_a_watch_that_tells_nobody_is_refused(folder: Path, systemd: Systemd) -> None:
    with pytest.raises(ConfigurationError, match="says nobody who is told"):
        install(timer_in(folder, watch=Watch()), systemd)


@pytest.mark.parametrize("secrets", [{"master_key": "env:KEY"}, {"given": {"mail/password": "env:PASSWORD"}}])
def test_a_secret_of_the_shell_is_refused_for_a_timer_has_none(
    folder: Path, systemd: Systemd, secrets: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="a timer has none of your variables"):
        install(timer_in(folder, secrets=Secrets(**secrets)), systemd)


def test_a_systemd_that_fails_is_told_in_its_words(folder: Path) -> None:
    command = folder / "failing"
    command.write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    command.chmod(0o755)
    with pytest.raises(FedikitError, match="no bus"):
        install(timer_in(folder), Systemd(folder / "units", is_system=False, command=str(command)))


def test_root_does_not_look_for_others(folder: Path) -> None:
    from fedikit.watch.once import refuse_root_for_others

    file = folder / "environment.toml"
    refuse_root_for_others(file)
    if os.geteuid() == 0:
        os.chown(file, 12345, 12345)
        with pytest.raises(FedikitError, match="is 12345's, and so is its watch"):
            refuse_root_for_others(file)
