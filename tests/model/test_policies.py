"""Policies as a provider may miswrite them: `bad_input/policies.json`, in the form that test_bad_input explains."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment import load_environment
from fedikit.errors import ConfigurationError
from tests.model.test_bad_input import assert_refused, cases, written


@pytest.mark.parametrize("case", cases("policies"))
def test_a_bad_policy_is_refused_at_every_path(
    case: dict[str, Any], provider: dict[str, Any], write: Callable[[str, Any], Path]
) -> None:
    path = written(case, provider, write, "environment")
    with pytest.raises(ConfigurationError) as refused:
        load_environment(path)
    assert_refused(refused.value, case, path)
