"""What draws itself when it is the last line of a notebook cell."""

from typing import Any


class Shown:
    """Draws itself through `fedikit.show`: text for a terminal or a saved notebook, HTML for a browser."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from fedikit.show import mimebundle  # slow to import, and needed only where somebody looks

        return mimebundle(self)
