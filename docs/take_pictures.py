"""Takes the README's pictures anew, from a real run of the demo: docs/demo.svg and docs/demo.png. As root.

.venv/bin/python docs/take_pictures.py
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from fedikit.display.progress import TerminalProgress
from fedikit_lab import Lab
from fedikit_lab.demo import CONFIGURATION, Demo

DOCS = Path(__file__).resolve().parent
WIDTH = 118


def main() -> int:
    """Runs the demo in a folder and a lab of its own; the exit status tells whether every check held."""
    with tempfile.TemporaryDirectory(prefix="fedikit-pictures-") as folder:
        shutil.copy(DOCS.parent / CONFIGURATION, folder)
        os.chdir(folder)
        console = Console(record=True, width=WIDTH, highlight=False, force_terminal=True)
        progress = TerminalProgress(console)
        lab = Lab(".lab", tell=progress)
        try:
            lab.directory = Path(".lab")  # relative, so that the picture shows no path of this machine
            succeeded = Demo(console, lab, progress).run()
        finally:
            lab.down()
        (screenshot,) = Path("runs").glob("*/screenshot.png")
        shutil.copy(screenshot, DOCS / "demo.png")
        (DOCS / "demo.svg").write_text(without_fonts(console.export_svg(title="make demo")))
        os.chdir(DOCS)
    return 0 if succeeded else 1


def without_fonts(svg: str) -> str:
    """The picture without fonts from elsewhere: whoever looks at it asks nobody else for anything."""
    return re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", "monospace")


if __name__ == "__main__":
    sys.exit(main())
