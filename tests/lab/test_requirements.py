"""What the deployer is asked for before it holds a lab: one line, that says what to do."""

import os
from pathlib import Path

import pytest

from fedikit.errors import FedikitError
from fedikit_lab import requirements
from fedikit_lab.requirements import missing_tools, require_host


def test_a_machine_without_tools_is_told_the_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {"mmdebstrap", "systemd-container", "iproute2"} <= set(missing_tools())
    with pytest.raises(FedikitError) as refused:
        require_host()
    assert refused.value.hint.startswith("apt-get install ")
    assert "systemd-container" in refused.value.hint


def test_somebody_else_than_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(FedikitError, match="takes root"):
        require_host()


@pytest.mark.lab
def test_this_machine_can_hold_a_lab() -> None:
    require_host()


@pytest.mark.lab
def test_a_kernel_without_a_feature_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(requirements._PROBE_OF_FEATURE, "time travel", ("--mount", "false"))
    with pytest.raises(FedikitError, match="kernel does not offer the lab: time travel"):
        require_host()
