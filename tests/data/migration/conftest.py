"""Both providers of a migration, each test with its own."""

import pytest

from fedikit.data import carrying_secrets
from fedikit.data.migration import sides
from tests.data.migration.scene import Scene
from tests.remote.conftest import Staged, staged  # noqa: F401


@pytest.fixture
def scene(staged: Staged, monkeypatch: pytest.MonkeyPatch) -> Scene:  # noqa: F811
    """What carries secrets and goes on with them reads the new provider's file anew: it says what it said."""
    scene = Scene(staged)
    for module in (carrying_secrets, sides):
        monkeypatch.setattr(module, "load_environment", lambda path: scene.new.provider)
    return scene
