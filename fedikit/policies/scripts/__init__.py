"""Scripts that policies bring to hosts: files here, for the standard library of a host's own Python.

The program that backs up and restores is a package of its own. It is read here as text only: nothing of it runs here.
"""

from functools import cache
from pathlib import Path


@cache
def script(name: str) -> str:
    """The text of one of them."""
    return Path(__file__).with_name(name).read_text("utf-8")


@cache
def data_program() -> dict[str, str]:
    """The files of the program that backs up and restores, by where each lies below its folder on a host."""
    source = Path(__file__).parents[2] / "data/onhost"
    named = {"__main__.py": "__main__.py"} | {f"onhost/{file.name}": file.name for file in sorted(source.glob("*.py"))}
    del named["onhost/__main__.py"]
    return {name: (source / file).read_text("utf-8") for name, file in named.items()}
