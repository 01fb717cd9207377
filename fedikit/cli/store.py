"""The verbs on the container images in this deployer's store."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedikit.cli.options import options
from fedikit.cli.output import listening

if TYPE_CHECKING:
    from fedikit.store import StoredImage


@click.group()
def store() -> None:
    """Packages and images in this deployer's store. Hosts get theirs from there."""


@store.command()
@click.argument("image")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
def add(image: str, file: Path) -> None:
    """Take in an image from a file. That is an OCI archive or layout, or a Docker archive.

    IMAGE is the name it is deployed by, such as ghcr.io/mastodon/mastodon:v4.7.4.
    """
    from fedikit.store import Images

    with listening() as tell:
        added = Images().add(image, file, tell)
    click.echo(line_of(added))


@store.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--architecture", type=click.Choice(["amd64", "arm64"]), help="The hosts'; this machine's if absent.")
def fetch(images: tuple[str, ...], architecture: str | None) -> None:
    """Fetch images from their registries. From Podman's store on this machine: containers-storage:IMAGE."""
    from fedikit.store import Images
    from fedikit.store.build import own_architecture

    with listening() as tell:
        fetched = [Images().fetch(image, architecture or own_architecture(), tell) for image in images]
    for image in fetched:
        click.echo(line_of(image))


@store.command("list")
@options("json")
def list_images(as_json: bool) -> None:
    """List the images: name, digest, title, size, since when."""
    from fedikit.store import Images

    known = Images().known()
    if as_json:
        click.echo(json.dumps([image.as_record() for image in known], indent=1))
    else:
        click.echo("\n".join(line_of(image) for image in known) or "There are no images in the store.")


@store.command()
@click.option("--days", type=click.FloatRange(min=0), required=True, help="Keep what was used in the last N days.")
def prune(days: float) -> None:
    """Remove packages and images that were not used for some days."""
    from fedikit.store import Images

    click.echo(f"{Images().prune(days) / 1e6:.1f} MB are free again.")


def line_of(image: "StoredImage") -> str:
    """An image in one line."""
    told = image.as_record()
    size, title = f"{told['size'] / 1e6:.1f} MB", f"  {told['title']}" if told["title"] else ""
    return f"{image.reference}  {image.digest[:19]}  {size}  {', '.join(told['builds'])}  since {image.since}{title}"
