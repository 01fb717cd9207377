"""Which version of upstream's a program stands in for; it lies beside the modules in a file that the image brings."""

from pathlib import Path

_FILE = Path(__file__).parents[1] / "version"
# Where images are described, and not run, there is no such file.
VERSION = f"{_FILE.read_text().strip() if _FILE.exists() else '0.0.0'}+contract"
