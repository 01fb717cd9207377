"""Real machines on which things go wrong."""

from collections.abc import Iterator

import pytest

from fedikit_lab import Lab


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three machines: `one`, `two`, and `tiny` with a small disk."""
    with Lab(tmp_path_factory.mktemp("failure"), machines=("one", "two"), acme=False, disk={"tiny": 100}) as lab:
        yield lab
