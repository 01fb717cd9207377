# ruff: noqa: S310 - the address is one of this host
"""What is run on a host whose Garage is one of several: it gets the key by which the others know it, and is waited for.

    python3 -I -c SCRIPT make|check key                 admin token and node key on standard input, a line each
    python3 -I -c SCRIPT make|check bucket NAME         admin token on standard input

`key` puts a node key into the container `garage`, unless its node has a role in a layout: then it bears data under its
own key, and that is said. The key is 128 hexadecimal digits: the seed of an Ed25519 key, then its public half, which is
the node's id. Garage keeps both in `node_key` and the latter in `node_key.pub` of its `metadata_dir`, and makes them
at its first start if they are not there.

`bucket` waits until the bucket is there: another host makes it, and needs this host's Garage for that.

`check` changes nothing, waits for nothing, and exits with 0 when all is so already. Standard library only.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ADMIN = "http://127.0.0.1:3903"
META = "/var/lib/garage/meta"
START_SECONDS, BUCKET_SECONDS = 60, 900


class Lacking(Exception):
    """What is waited for is not there yet."""


def ask(token: str, call: str) -> Any:
    """The answer to one call of the admin API; nothing if what it asks for is not there."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{ADMIN}/v2/{call}", headers={"Authorization": f"Bearer {token}"})
    try:
        with direct.open(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 403:
            sys.exit(f"Garage at {ADMIN} does not take the admin token")
        if error.code == 404:
            return None
        raise Lacking(f"Garage at {ADMIN} answers {call} with {error.code}") from error
    except OSError as error:
        raise Lacking(f"Garage does not answer at {ADMIN}: {error}") from error


def own_id(token: str) -> str:
    (own,) = ask(token, "GetNodeInfo?node=self")["success"]
    return str(own)


def bring_key(token: str, key: str) -> None:
    own = own_id(token)
    if own == key[64:]:
        return
    if own in [role["id"] for role in ask(token, "GetClusterLayout")["roles"]]:
        sys.exit(f"Garage bears data under another id here: name it in policies.bucket.nodes of the environment: {own}")
    put_key(bytes.fromhex(key))
    raise Lacking("Garage starts with its new key")


def put_key(key: bytes) -> None:
    shown = subprocess.run(["podman", "inspect", "garage"], check=True, capture_output=True, timeout=60).stdout
    folder = next(Path(mount["Source"]) for mount in json.loads(shown)[0]["Mounts"] if mount["Destination"] == META)
    subprocess.run(["systemctl", "stop", "garage.service"], check=True, timeout=120)
    owner = folder.stat()  # the container's root, which is another user of the host
    for file, content in ((folder / "node_key.pub", key[32:]), (folder / "node_key", key)):
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        os.chown(file, owner.st_uid, owner.st_gid)
        file.write_bytes(content)
    subprocess.run(["systemctl", "start", "garage.service"], check=True, timeout=120)


def see_bucket(token: str, name: str) -> None:
    if ask(token, f"GetBucketInfo?globalAlias={name}") is None:
        raise Lacking(f"there is no bucket {name} yet: the first host of Garage makes it, when it sees all others")


def has_key(token: str, key: str) -> None:
    if own_id(token) != key[64:]:
        raise Lacking("its node has another key")


def main() -> None:
    act, what, *names = sys.argv[1:]
    given = sys.stdin.read().split()
    once = act == "check"
    steps = {"key": has_key if once else bring_key, "bucket": see_bucket}
    seconds = 0 if once else {"key": START_SECONDS, "bucket": BUCKET_SECONDS}[what]
    end = time.monotonic() + seconds
    while True:
        try:
            return steps[what](*given, *names)
        except Lacking as lacking:
            if time.monotonic() >= end:
                sys.exit(f"{lacking} (waited {seconds} s)")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
