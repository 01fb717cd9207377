"""Real machines: what they are, what they cannot, and how they are told and waited for."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fedikit.errors import DeadlineExceeded, HostError, HostKeyRefused
from fedikit.events import Event, HostFinished
from fedikit_lab import Lab
from fedikit_lab.shell import Shell
from tests.lab.traces import blackhole_of, traces_of

pytestmark = pytest.mark.lab


def test_a_machine_is_a_debian_that_runs_as_it_should(lab: Lab) -> None:
    assert lab["one"].succeed("hostname --fqdn").strip() == "one.lab"
    assert "VERSION_CODENAME=trixie" in lab["one"].succeed("cat /etc/os-release")
    lab["one"].run("systemctl is-system-running --wait")
    assert lab["one"].succeed("systemctl --failed --no-legend --plain") == ""
    assert lab["one"].succeed("cat /etc/machine-id") != lab["two"].succeed("cat /etc/machine-id")


def test_the_second_user_may_do_everything_through_sudo(lab: Lab) -> None:
    assert lab["one"].succeed("id -un; sudo -n id -un", user="admin").split() == ["admin", "root"]


def test_success_and_failure_are_told_apart(lab: Lab) -> None:
    assert lab["one"].succeed("echo good") == "good\n"
    assert lab["one"].fails("echo bad; echo worse >&2; exit 3") == "bad\nworse\n"
    with pytest.raises(HostError, match=r"one: `echo why >&2; exit 3` ended with 3\n  \| why"):
        lab["one"].succeed("echo why >&2; exit 3")
    with pytest.raises(HostError, match="was to fail and did not"):
        lab["one"].fails("true")


def test_output_comes_whole_and_input_arrives(lab: Lab) -> None:
    result = lab["one"].run("head -c 5000000 /dev/zero >&2; cat", stdin="x" * 3_000_000)
    assert (len(result.stdout), len(result.stderr), result.exit_status) == (3_000_000, 5_000_000, 0)


def test_a_command_that_takes_too_long_is_ended_there_too(lab: Lab) -> None:
    with pytest.raises(DeadlineExceeded, match="waited 1 s for `sleep 4242` on one"):
        lab["one"].succeed("sleep 4242", seconds=1)
    lab["one"].fails("pgrep --full 'sleep 424[2]'")


def test_every_wait_ends_with_what_was_seen_last(lab: Lab) -> None:
    one = lab["one"]
    with pytest.raises(DeadlineExceeded, match=r"`cat /nowhere` to succeed on one.*No such file"):
        one.wait_until_succeeds("cat /nowhere", seconds=0.3)
    with pytest.raises(DeadlineExceeded, match=r"nothing\.service to be active on one, in vain; last seen: inactive"):
        one.wait_for_unit("nothing.service", seconds=0.3)
    with pytest.raises(DeadlineExceeded, match="4242"):
        one.wait_for_port(4242, seconds=0.3)


def test_what_comes_later_is_waited_for(lab: Lab) -> None:
    one = lab["one"]
    one.succeed("systemd-run --quiet --unit=late sh -c 'sleep 1; exec python3 -m http.server 4000'")
    one.wait_for_port(4000)
    one.wait_for_unit("late")
    one.succeed("systemctl stop late")


def test_a_unit_that_failed_is_not_waited_for(lab: Lab) -> None:
    lab["one"].succeed("systemd-run --quiet --unit=doomed sh -c 'echo because; exit 1'; sleep 0.2")
    with pytest.raises(HostError, match=r"(?s)doomed failed.*because"):
        lab["one"].wait_for_unit("doomed")
    lab["one"].succeed("systemctl reset-failed doomed")


def test_a_machine_with_another_key_is_refused(lab: Lab) -> None:
    stranger = Shell("one", lab["one"].address, "root", lab["two"].host_key, lab["one"].key_file)
    with pytest.raises(HostKeyRefused):
        stranger.connect()


@pytest.mark.parametrize("address", ["192.0.2.1", "8.8.8.8", "10.77.0.9", "2001:db8::1"])
def test_no_machine_has_a_way_out(lab: Lab, address: str) -> None:
    """Asks for routes only: no packet is sent."""
    assert "unreachable" in lab["one"].fails(f"ip route get {address}")
    assert lab["one"].succeed(f"ip route get {lab['two'].address}")


def test_the_lab_s_addresses_never_leave_this_machine(lab: Lab) -> None:
    assert blackhole_of(lab).startswith("blackhole")


def test_a_unit_restarted_in_one_machine_is_left_alone_in_the_other(lab: Lab) -> None:
    """All machines would share a cgroup, if each had none of its own."""
    started = "systemctl show --value --property=InvocationID,MainPID ssh.service"
    before = lab["two"].succeed(started)
    lab["one"].succeed("systemctl restart ssh.service")
    lab["one"].wait_for_unit("ssh.service")
    assert lab["two"].succeed(started) == before
    assert lab["two"].succeed("systemctl is-active ssh.service").strip() == "active"


def test_the_machine_s_own_kernel_settings_stay_the_deployer_s(lab: Lab) -> None:
    masked = lab["one"].succeed("systemctl is-enabled systemd-sysctl systemd-udevd fstrim.timer || true").split()
    assert set(masked) <= {"masked", "not-found"}


def test_pebble_answers_under_the_lab_s_authority(lab: Lab) -> None:
    assert str(lab.acme.directory()["newOrder"]).startswith(f"https://{lab['acme'].address}:14000/")
    assert "BEGIN CERTIFICATE" in lab.acme_root()
    assert (lab.directory / "pebble-root.pem").read_text() == lab.acme_root()


def test_dns_answers_the_machines_and_the_names_that_were_set(lab: Lab) -> None:
    lab.set_dns({"snac.fediversity.test": lab["two"].address, "other.test": "10.77.0.1"})
    lab.set_dns({"other.test": lab["one"].address})
    for name, machine in {"two.lab": "two", "snac.fediversity.test": "two", "other.test": "one"}.items():
        assert lab["one"].succeed(f"getent ahostsv4 {name}").split()[0] == lab[machine].address
    lab["one"].fails("getent ahosts unknown.test")


def test_names_are_served_again_when_acme_was_made_new(lab: Lab) -> None:
    lab.set_dns({"lasting.test": lab["two"].address})
    lab.reset("acme")
    assert lab["one"].succeed("getent ahostsv4 lasting.test").split()[0] == lab["two"].address
    assert (lab.directory / "pebble-root.pem").read_text() == lab.acme_root()


def test_what_was_written_outlives_a_restart_and_a_crash_but_no_reset(lab: Lab) -> None:
    two, key = lab["two"], lab["two"].host_key
    two.succeed("echo kept >/etc/kept; sync")
    two.restart()
    assert two.succeed("cat /etc/kept") == "kept\n"
    two.crash()
    assert not two.is_running()
    two.start()
    assert two.succeed("cat /etc/kept") == "kept\n"
    lab.reset("two")
    two.fails("test -e /etc/kept")
    assert lab["two"].host_key == key


def test_a_machine_can_reboot_itself(lab: Lab) -> None:
    boot = "systemctl show --value --property=UserspaceTimestampMonotonic"
    before = lab["two"].succeed(boot)
    lab["two"].succeed("systemctl reboot")
    deadline = time.monotonic() + 30
    while not _was_rebooted(lab, boot, before):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _was_rebooted(lab: Lab, question: str, before: str) -> bool:
    try:
        return lab["two"].succeed(question) != before
    except HostError:
        return False


def test_up_keeps_the_machines_that_run(lab: Lab) -> None:
    lab["one"].succeed("touch /run/still-here")
    told: list[Event] = []
    Lab(lab.directory, ("one", "two"), tell=told.append).up()
    assert [event.outcome for event in told if isinstance(event, HostFinished)] == ["same"] * 3
    lab["one"].succeed("test -e /run/still-here")


def test_another_process_finds_the_machines(lab: Lab) -> None:
    again = Lab(lab.directory, ())
    assert again.machines == ("one", "two", "acme")
    assert again["one"].succeed("hostname").strip() == "one"


def test_a_small_disk_is_full_soon_and_leaves_no_trace(lab_directory: Callable[[str], Path]) -> None:
    with Lab(lab_directory("small"), (), acme=False, disk={"tiny": 64}) as small:
        tiny = small["tiny"]
        assert "No space left" in tiny.fails("head -c 100M /dev/zero >/var/filler")
        tiny.succeed("rm /var/filler; echo kept >/etc/kept; sync")
        tiny.crash()
        tiny.start()
        assert tiny.succeed("cat /etc/kept") == "kept\n"
        small.reset("tiny")
        tiny.fails("test -e /etc/kept")
        tiny.fails("head -c 100M /dev/zero >/var/filler")
        assert any(trace.startswith("loop") for trace in traces_of(small))
    assert traces_of(small) == []


def test_containers_can_keep_their_layers_as_on_a_real_disk(lab: Lab) -> None:
    """Podman's overlay driver refuses to work on an overlay."""
    assert lab["one"].succeed("stat --file-system --format=%T /var/lib/containers").strip() != "overlayfs"
