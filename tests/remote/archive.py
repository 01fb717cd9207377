"""A small archive of Debian packages for the deployer's apt, and an apt for hosts that are directories."""

import hashlib
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fedikit.store import lists

RELEASE = "Origin: Debian\nLabel: {label}\nSuite: stable{pocket}\nVersion: 13\nCodename: trixie{pocket}\n"
LABELS = {"": "Debian", "-security": "Debian-Security"}


@dataclass
class Archive:
    """Debian's archive as the deployer sees it: what was published last is the newest."""

    folder: Path
    pockets: dict[str, list[str]] = field(default_factory=lambda: {pocket: [] for pocket in LABELS})

    def build(self, name: str, version: str, files: dict[str, str | bytes] | None = None, **fields: str) -> Path:
        """A package file, in which bytes are programs; `fields` are those of its control file, such as `Depends`."""
        tree = self.folder / "trees" / f"{name}_{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        known = {
            "Package": name,
            "Version": version,
            "Architecture": "all",
            "Maintainer": "Nobody <nobody@example.org>",
        }
        control = {**known, "Description": "a small one", **fields}
        (tree / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in control.items()))
        for path, content in (files or {}).items():
            file = tree / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
            file.chmod(0o755 if isinstance(content, bytes) else 0o644)
        deb = self.folder / "pool" / f"{name}_{version}_all.deb"
        deb.parent.mkdir(exist_ok=True)
        command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(deb)]
        subprocess.run(command, check=True, capture_output=True)
        return deb

    def publish(self, deb: Path, pocket: str = "") -> None:
        """Puts a package file into the lists."""
        control = subprocess.run(["dpkg-deb", "--field", str(deb)], check=True, capture_output=True, text=True).stdout
        content = deb.read_bytes()
        where = f"Filename: pool/{deb.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
        self.pockets[pocket].append(f"{control.rstrip()}\n{where}")
        self.write()

    def write(self) -> None:
        """Writes its lists; the deployer has to fetch them anew."""
        for mark in self.folder.glob("cache/**/refreshed"):
            mark.unlink()
        for pocket, stanzas in self.pockets.items():
            folder = self.folder / f"dists/trixie{pocket}"
            (folder / "main/binary-amd64").mkdir(parents=True, exist_ok=True)
            text = "\n".join(stanzas)
            (folder / "main/binary-amd64/Packages").write_text(text)
            digest = hashlib.sha256(text.encode()).hexdigest()
            sums = f"SHA256:\n {digest} {len(text)} main/binary-amd64/Packages\n"
            about = f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nArchitectures: amd64\nComponents: main\n{sums}"
            (folder / "Release").write_text(RELEASE.format(label=LABELS[pocket], pocket=pocket) + about)


@dataclass(frozen=True)
class Suite:
    """One suite of it, as a line for apt."""

    folder: Path
    pocket: str

    def line(self, *, is_current: bool = True) -> str:
        return f"deb [trusted=yes] file:{self.folder} trixie{self.pocket} main"


def use_archive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """The deployer's apt knows this archive and no other."""
    archive = Archive(folder)
    folder.mkdir()
    archive.write()
    monkeypatch.setattr(lists, "debian_sources", lambda _: [Suite(folder, pocket) for pocket in LABELS])
    monkeypatch.setenv("FEDIKIT_CACHE", str(folder / "cache"))
    return archive


APT = r"""
import os, subprocess, sys, time
from pathlib import Path

os.environ["PATH"] = "/usr/bin:/bin"  # this machine's, for dpkg-deb
ROOT = Path(__file__).parents[2]
STATUS, INFO = ROOT / "var/lib/dpkg/status", ROOT / "var/lib/dpkg/info"


def fields_of(deb):
    text = subprocess.run(["/usr/bin/dpkg-deb", "--field", deb], check=True, capture_output=True, text=True).stdout
    return dict(line.split(": ", 1) for line in text.splitlines())


def install(deb):
    fields = fields_of(deb)
    name = fields["Package"]
    stanzas = [text for text in STATUS.read_text().split("\n\n") if text and f"Package: {name}\n" not in text + "\n"]
    words = {"Package": name, "Status": "install ok installed", **{k: v for k, v in fields.items() if k != "Package"}}
    stanzas.append("\n".join(f"{key}: {value}" for key, value in words.items()))
    STATUS.write_text("\n\n".join(stanzas) + "\n\n")
    INFO.mkdir(exist_ok=True)
    listed = subprocess.run(["/usr/bin/dpkg-deb", "--fsys-tarfile", deb], check=True, capture_output=True).stdout
    names = subprocess.run(["/bin/tar", "--list"], input=listed, check=True, capture_output=True).stdout.decode()
    (INFO / f"{name}.list").write_text("".join(f"{line[1:].rstrip('/')}\n" for line in names.splitlines()))
    subprocess.run(["/bin/tar", "--extract", "--directory", str(ROOT), "--no-same-owner"], input=listed, check=True)


debs = [word for word in sys.argv if word.endswith(".deb")]
with open(ROOT / "run/apt.log", "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\n")
if (ROOT / "run/apt-fails").exists():
    sys.exit("E: the disk is on fire")
for deb in debs:
    if "--simulate" in sys.argv:
        print("Inst", fields_of(deb)["Package"], "(1)")
    else:
        install(deb)
        if (ROOT / "run/apt-dies").exists():
            os.kill(os.getppid(), 9)
            sys.exit(1)
"""
