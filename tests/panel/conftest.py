"""What the tests of the panel share: a provider whose machines are directories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.panel.scene import Provider, forget_applications, import_path


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    provider = Provider(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("PYTHONPATH", import_path(tmp_path / "site"))
    monkeypatch.delenv("FEDIKIT_OPERATOR", raising=False)
    forget_applications()
    yield provider
    forget_applications()
