"""Who looks at what cells show: nobody, the reader of a saved notebook, or a person who can be asked."""

import os
from pathlib import Path
from typing import Any


def is_quiet() -> bool:
    """Whether progress shall not be shown, or cannot be."""
    if "PYTEST_CURRENT_TEST" in os.environ or os.environ.get("FEDIKIT_PROGRESS") == "none":
        return True
    return _kernel() is None


def is_attended() -> bool:
    """Whether a person runs this cell and can answer: JupyterLab says so with each cell; papermill and nbval say no."""
    kernel = _kernel()
    if kernel is None or "PYTEST_CURRENT_TEST" in os.environ:
        return False
    content: dict[str, Any] = (kernel.get_parent() or {}).get("content", {})
    return bool(content.get("allow_stdin"))


def open_notebook() -> Path | None:
    """The notebook that a person has open, if their Jupyter tells."""
    name = os.environ.get("JPY_SESSION_NAME", "")
    return Path(name) if name.endswith(".ipynb") else None


def _kernel() -> Any:
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None)
