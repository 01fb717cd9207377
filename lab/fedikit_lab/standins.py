"""Contract images: Debian with Python, an application's language if it has one, and the program that stands in for it.

Each of these is a layer; the first is the same in all of them. What goes into the last is said by the constants IMAGE,
COMMANDS and FILES of the program's module in `fedikit_lab.contract`.
"""

import importlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from fedikit.agent import signature
from fedikit.events import Tell, Waiting
from fedikit.model import strength
from fedikit.store import Store, fetch, resolve
from fedikit_lab import contract
from fedikit_lab.bootstrap import ALONE, bootstrap
from fedikit_lab.image import CODENAME
from fedikit_lab.layout import MOMENT, Config, Layout, mark_what_went
from fedikit_lab.tool import run_tool

PACKAGES = (
    "ca-certificates",
    "python3",
    "python3-psycopg2",
    "python3-pymysql",
    "python3-redis",
    "python3-werkzeug",
    "tini",
)
OPTIONS = (
    "--variant=essential",
    f"--include={','.join(PACKAGES)}",
    *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "info", "locale", "man")),
)
# What differs from build to build, or is the deployer's own.
LEFT_OUT = (
    "dev/*",
    "etc/apt",
    "etc/hostname",
    "etc/resolv.conf",
    "run/*",
    "tmp/*",
    "var/cache/*",
    "var/lib/apt",
    "var/lib/dpkg/*-old",
    "var/log/*",
)
HOME = "usr/lib/contract"
VERSION_FILE = f"{HOME}/version"
# An own mount namespace goes with its last process, and the mounts with it.
_INSTALL = """\
set -e
mount -t overlay layer "$1/root" -o "lowerdir=$1/below,upperdir=$1/upper,workdir=$1/work"
mount --bind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
mount --bind "$1/debs" "$1/root/mnt"
chroot "$1/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    sh -c 'dpkg --install /mnt/*.deb'
"""
_LAUNCHER = """\
#!/usr/bin/python3 -I
import runpy
import sys

sys.path.insert(0, "/{home}")
sys.argv[1:1] = {arguments!r}
runpy.run_module("contract.{module}", run_name="__main__", alter_sys=True)
"""
_INSTALL_SECONDS = 300
_TITLE = "Contract image of {application}"


@dataclass(frozen=True, kw_only=True)
class Program:
    """What an application's contract image holds beside Debian."""

    application: str
    module: str
    version: str
    """Upstream's, for which it stands in."""
    config: Config
    commands: Mapping[str, tuple[str, ...]]
    """For paths in the image, what the module is told that it was called as."""
    files: Mapping[str, Path]
    """For paths in the image, the files that are put there as they are."""
    owned: tuple[str, ...]
    """Directories that belong to the image's user."""
    packages: tuple[str, ...]

    @classmethod
    def of(cls, application: str, module: ModuleType, version: str) -> "Program":
        """The program as its module describes it."""
        image = {"packages": (), "owned": (), **module.IMAGE}
        folder = Path(str(module.__file__)).parent / "files"
        settings = {key: image[key] for key in ("user", "workdir", "env", "entrypoint", "cmd")}
        return cls(
            application=application,
            module=module.__name__.rpartition(".")[2],
            version=version,
            config=Config(title=_TITLE.format(application=application), **settings),
            commands=module.COMMANDS,
            files={path: folder / name for path, name in module.FILES.items()},
            owned=tuple(image["owned"]),
            packages=tuple(sorted(set(image["packages"]) - set(PACKAGES))),
        )

    @property
    def recipe(self) -> list[object]:
        """Everything that makes its layer what it is."""
        config, files = self.config, {path: file.read_text() for path, file in self.files.items()}
        start = [config.title, config.user, config.workdir, dict(config.env), config.entrypoint, config.cmd]
        sources = {place: file.read_text() for place, file in sources_of_programs().items()}
        return [self.module, self.version, start, dict(self.commands), files, self.owned, sources, _LAUNCHER]


def read_program(application: str, module: str, version: str) -> Program:
    """The program of one of the contract modules, as it stands in for a version of upstream's."""
    return Program.of(application, importlib.import_module(f"{contract.__name__}.{module}"), version)


def sources_of_programs() -> dict[str, Path]:
    """The modules that run inside the images, by their places there."""
    contracts = sorted(Path(str(contract.__file__)).parent.glob("*.py"))
    return {
        **{f"contract/{source.name}": source for source in contracts},
        "fedikit/agent/signature.py": Path(signature.__file__),
        "fedikit/model/strength.py": Path(strength.__file__),
    }


def put_debian(layout: Layout, room: Path, tell: Tell) -> None:
    """Makes the image a small Debian with Python, Werkzeug, and drivers of databases and caches."""
    tree = room / "debian"
    bootstrap(tree, CODENAME, OPTIONS, moment=MOMENT, tell=tell)
    _leave_out(tree)
    layout.add_layer(tree, f"Debian {CODENAME} with {' '.join(PACKAGES)}")


def put_packages(layout: Layout, room: Path, packages: Iterable[str], tell: Tell) -> None:
    """Installs Debian packages over what is there, with what they depend on."""
    for part in ("upper", "work", "root", "debs"):
        (room / part).mkdir(mode=0o755)
    layout.unpack(room / "below")
    _bring(packages, room, tell)
    tell(Waiting(what=f"installing {' '.join(packages)}"))
    run_tool(*ALONE, "sh", "-c", _INSTALL, "sh", str(room), seconds=_INSTALL_SECONDS)
    upper = room / "upper"
    _leave_out(upper)
    mark_what_went(upper)
    layout.add_layer(upper, f"with {' '.join(packages)}")


def put_program(layout: Layout, room: Path, program: Program) -> None:
    """Lays an application's program over Debian: its modules, its commands and files where upstream has them."""
    tree = room / "program"
    tree.mkdir(mode=0o755)
    for place, source in sources_of_programs().items():
        _place(tree, f"{HOME}/{place}", source.read_text())
    _place(tree, VERSION_FILE, f"{program.version}\n")
    for path, arguments in program.commands.items():
        text = _LAUNCHER.format(home=HOME, module=program.module, arguments=list(arguments))
        _place(tree, path, text, mode=0o755)
    for path, file in program.files.items():
        _place(tree, path, file.read_text())
    _give(tree, program)
    _forget_when(tree)
    layout.add_layer(tree, f"stands in for {program.application}")
    layout.configure(program.config)


def _bring(packages: Iterable[str], room: Path, tell: Tell) -> None:
    status = (room / "below/var/lib/dpkg/status").read_bytes()
    architecture = run_tool("dpkg", "--print-architecture").strip()
    wanted: dict[str, str | None] = dict.fromkeys(packages)
    store = Store()
    found = resolve(wanted, status=status, codename=CODENAME, architecture=architecture, store=store, tell=tell)
    fetch(found, store=store, tell=tell)
    for deb in found:
        shutil.copyfile(store.path(deb.sha256), room / "debs" / deb.file_name)


def _leave_out(tree: Path) -> None:
    """Removes what must not be in an image, but not the marks of an overlay."""
    for pattern in LEFT_OUT:
        for path in tree.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _place(tree: Path, path: str, text: str, *, mode: int = 0o644) -> None:
    place = tree / path.removeprefix("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(mode)


def _give(tree: Path, program: Program) -> None:
    """Gives the image's user what is its own; an image that names no user runs as root."""
    user, _, group = (program.config.user or "0:0").partition(":")
    for path in {program.config.workdir, *program.owned} - {""}:
        place = tree / path.removeprefix("/")
        place.mkdir(parents=True, exist_ok=True)
        os.chown(place, int(user), int(group or user))


def _forget_when(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (MOMENT, MOMENT))
