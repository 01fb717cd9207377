"""Podman, and Garage in a container of it: what others keep in them."""

import re
from collections.abc import Iterator
from typing import Any

from .eyes import Eyes
from .garage import Garage, NotReady, look
from .household import Household, Packaged, is_new
from .kinds import is_a
from .kinds.cluster import is_led_elsewhere
from .others import is_below
from .podman import STORAGE, records

Item = dict[str, Any]
QUADLETS = "/etc/containers/systemd"
KINDS_OF_QUADLETS = (".container", ".pod", ".kube", ".volume", ".network", ".image", ".build")
MARK = "fedikit "
"""What the names of Garage's keys begin with that are ours."""
ANONYMOUS = re.compile(r"[0-9a-f]{64}")


class ContainerHost(Packaged):
    """Podman: images, containers and volumes that somebody else brought."""

    def stays(self, house: Household) -> str:
        return self.serves([*self._images(house), *self._volumes(house.eyes), *self._quadlets(house)])

    def _images(self, house: Household) -> list[str]:
        ours = {item["config"] for item in [*house.items("image"), *self._theirs(house)] if "config" in item}
        ours |= {id for ledger in (house.ledger, *house.others.ledgers) for id in ledger.images}
        images = [image for image in records(house.eyes, "images") if image["id"] not in ours]
        containers = [record for record in records(house.eyes, "containers") if record.get("image") not in ours]
        named = [f"the container {(record.get('names') or [record['id'][:12]])[0]}" for record in containers]
        return named + [f"the image {(image.get('names') or [image['id'][:12]])[0]}" for image in images]

    def _theirs(self, house: Household) -> Iterator[Item]:
        return (item for _, item in house.others.items() if is_a(item, "image"))

    def _volumes(self, eyes: Eyes) -> list[str]:
        """Those with a name; those without belong to containers."""
        folder = f"{STORAGE}/volumes"
        names = eyes.names(folder)
        return [f"the volume {name}" for name in sorted(names) if not ANONYMOUS.fullmatch(name)]

    def _quadlets(self, house: Household) -> list[str]:
        names = house.eyes.names(QUADLETS)
        strange = {f"{QUADLETS}/{name}" for name in names if name.endswith(KINDS_OF_QUADLETS)} - house.paths()
        return [f"the container of {path}" for path in sorted(strange)]


class BucketServer:
    """Garage, which runs in a container of ours: buckets and keys that somebody else made."""

    name = "garage"

    def look(self, eyes: Eyes) -> list[str] | None:
        return []

    def is_leaving(self, items: list[Item], packages: set[str]) -> bool:
        return any(item["id"] == "unit:garage.service" for item in items)

    def has_package(self, name: str) -> bool:
        return name == "podman"

    def needs(self, eyes: Eyes, item: Item) -> bool:
        text = self._quadlet(eyes)
        if not text or item["id"] in ("unit:garage.service", "cluster:garage"):
            return bool(text)
        if is_a(item, "image"):
            return f"Image={item['reference']}\n" in text
        path = item.get("path", "")
        mounted = re.findall(r"^Volume=([^:]+):", text, re.MULTILINE)
        is_part = path in (*mounted, f"{QUADLETS}/garage.container") or path in text.split()
        return is_part or (is_a(item, "directory") and any(is_below(place, path) for place in mounted))

    def stays(self, house: Household) -> str:
        if not self._is_laid_out(house.eyes):
            return ""
        try:
            guests = self._of_other_deployments(house) + self._strange(house)
        except NotReady as reason:
            if "garage" in house.ledger.seen:
                return ""
            return f"Garage stays: nobody can tell whose its buckets are, for {reason}; start it first"
        return f"Garage stays: it serves {', '.join(guests)}" if guests else ""

    def _of_other_deployments(self, house: Household) -> list[str]:
        theirs = [(name, item) for name, item in house.others.items() if is_a(item, "bucket")]
        return [f"the bucket {item['name']} of the deployment {name}" for name, item in theirs]

    def _strange(self, house: Household) -> list[str]:
        known = [*house.entries("bucket"), *({"item": i} for _, i in house.others.items() if is_a(i, "bucket"))]
        ours = [entry["item"] for entry in known if is_new(entry)]
        where = {"admin": "http://127.0.0.1:3903", "token_file": "/etc/fedikit/garage/admin-token"}
        names = {item["name"] for item in ours}
        return look(house.eyes, ours[0] if ours else where, lambda garage: self._strange_in(garage, names))

    def _strange_in(self, garage: Garage, ours: set[str]) -> list[str]:
        if is_led_elsewhere(garage):
            return []
        strange = [bucket for bucket in garage.all_buckets() if not ours & {*bucket["globalAliases"]}]
        keys = [name for name in garage.key_names() if not name.startswith(MARK)]
        return [
            *(f"the bucket {(bucket['globalAliases'] or [bucket['id'][:12]])[0]}" for bucket in strange),
            *(f"the key {name}" for name in keys),
        ]

    def _quadlet(self, eyes: Eyes) -> str:
        path = f"{QUADLETS}/garage.container"
        return eyes.read(path).decode(errors="replace") if eyes.exists(path) else ""

    def _is_laid_out(self, eyes: Eyes) -> bool:
        """Whether it has ever been given room to keep data in; before that there are no buckets."""
        places = re.findall(r"^Volume=([^:]+):/var/lib/garage/", self._quadlet(eyes), re.MULTILINE)
        return any(eyes.exists(f"{path}/cluster_layout") for path in places)
