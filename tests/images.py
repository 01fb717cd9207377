"""Small container images for tests, made of nothing but files' contents; and a registry on the loopback."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def packed(files: Mapping[str, bytes]) -> bytes:
    """A layer's archive, the same for the same files; whatever is in bin/ can be run."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if name.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(content))
    return output.getvalue()


class SmallImage:
    """One build of an image, with its parts by SHA-256."""

    def __init__(
        self, *layers: Mapping[str, bytes], architecture: str = "amd64", title: str = "", cmd: tuple[str, ...] = ()
    ) -> None:
        self.parts: dict[str, bytes] = {}
        archives = [packed(files) for files in layers]
        sent = [gzip.compress(archive, mtime=0) for archive in archives]
        labels = {"org.opencontainers.image.title": title} if title else {}
        config = self._keep(
            {
                "architecture": architecture,
                "os": "linux",
                "config": {"Cmd": list(cmd), "Labels": labels},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256_of(archive)}" for archive in archives]},
            }
        )
        self.config = config["digest"].removeprefix("sha256:")
        self.layers = [sha256_of(layer) for layer in sent]
        self.parts |= {sha256_of(layer): layer for layer in sent}
        manifest = self._keep(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, **config},
                "layers": [
                    {"mediaType": LAYER, "digest": f"sha256:{sha256_of(layer)}", "size": len(layer)} for layer in sent
                ],
            }
        )
        self.manifest = manifest["digest"].removeprefix("sha256:")
        platform = {"architecture": architecture, "os": "linux"}
        self.descriptor = {"mediaType": MANIFEST, **manifest, "platform": platform}

    def _keep(self, record: Any) -> dict[str, Any]:
        content = json.dumps(record).encode()
        self.parts[sha256_of(content)] = content
        return {"digest": f"sha256:{sha256_of(content)}", "size": len(content)}


def list_of(*images: SmallImage) -> bytes:
    """The list of manifests of an image that has several builds."""
    entries = [image.descriptor for image in images]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()


def write_layout(folder: Path, images: Mapping[str, SmallImage]) -> Path:
    """An OCI layout with these images, by their names in it."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entries = []
    for name, image in images.items():
        for sha256, content in image.parts.items():
            (blobs / sha256).write_bytes(content)
        entries.append({**image.descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return folder


def write_archive(path: Path, image: SmallImage) -> Path:
    """An OCI archive with one image."""
    folder = write_layout(path.with_suffix(".layout"), {"image": image})
    with tarfile.open(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.add(file, str(file.relative_to(folder)))
    return path


class SmallRegistry:
    """A registry without encryption; remembers what it was asked for. Use as a context manager."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {"/v2/": b"{}"}
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    def __enter__(self) -> "SmallRegistry":
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def push(self, path: str, *images: SmallImage) -> str:
        """Offers an image under `repository:tag`, as a list if it has several builds; returns its reference."""
        repository, tag = path.split(":")
        for image in images:
            self._offer(repository, "blobs", image.parts)
            self._offer(repository, "manifests", {image.manifest: image.parts[image.manifest]})
        top = list_of(*images) if len(images) > 1 else images[0].parts[images[0].manifest]
        self._offer(repository, "manifests", {sha256_of(top): top})
        self.contents[f"/v2/{repository}/manifests/{tag}"] = top
        return f"{self.name}/{repository}:{tag}"

    def _offer(self, repository: str, kind: str, contents: Mapping[str, bytes]) -> None:
        for sha256, content in contents.items():
            self.contents[f"/v2/{repository}/{kind}/sha256:{sha256}"] = content

    def asked_for(self, kind: str) -> set[str]:
        """What of a kind (manifests, blobs) was got."""
        return {path.rpartition("/")[2].removeprefix("sha256:") for path in self.asked if f"/{kind}/" in path}

    def _handler(registry) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.asked.append(self.path)
                content = registry.contents.get(self.path)
                is_list = content is not None and INDEX.encode() in content
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Type", INDEX if is_list else MANIFEST)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content or b"")

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *arguments: object) -> None:
                """Says nothing."""

        return Handler
