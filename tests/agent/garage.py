"""A stand-in for Garage: its admin API and its S3, as far as the agent uses them."""

# ruff: noqa: A002, N802, N803 - calls and their arguments are named as the API names them

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

Record = dict[str, Any]
TOKEN = "the-admin-token"


NEEDS_NO_LAYOUT = {
    "GetNodeInfo", "GetClusterLayout", "GetClusterLayoutHistory", "GetClusterStatus", "ConnectClusterNodes",
    "UpdateClusterLayout", "ApplyClusterLayout", "ListWorkers",
}  # fmt: skip


class ClusterStandIn:
    """The layout, and the nodes that are up; `moving` is how many more questions a change of it stays at work."""

    def __init__(self) -> None:
        self.own = "0" * 64
        self.copies = 1
        self.version = 0
        self.roles: dict[str, Record] = {}
        self.staged: list[Record] = []
        self.reachable: set[str] = set()
        self.up = {self.own}
        self.skipped: list[int] = []
        self.applied_while_moving = False
        self.moving = 0

    def layout(self) -> Record:
        roles = [{"id": id, "storedPartitions": 256, **role} for id, role in self.roles.items()]
        return {"version": self.version, "roles": roles, "stagedRoleChanges": self.staged, "stagedParameters": None}

    def working(self) -> list[str]:
        """The older versions that are still at work."""
        self.moving = max(0, self.moving - 1)
        return ["Draining"] if self.moving else []

    def connect(self, node: str) -> Record:
        id, _, _ = node.partition("@")
        if id not in self.reachable:
            return {"success": False, "error": f"Error establishing RPC connection to remote node: {node}"}
        self.up.add(id)
        return {"success": True, "error": None}

    def apply(self, version: int) -> None:
        if version != self.version + 1:
            raise No(400, "InvalidRequest", "Invalid new layout version")
        self.applied_while_moving |= bool(self.moving)
        for change in self.staged:
            self.roles.pop(change["id"], None)
            if not change.get("remove"):
                self.roles[change["id"]] = {name: change[name] for name in ("zone", "capacity", "tags")}
        self.moving = 3 if self.version else 0
        self.version, self.staged = version, []


class No(Exception):
    """An answer that is not a success."""


class GarageStandIn:
    """Keeps buckets, keys and objects in memory; `asked` notes every call, `is_ready` is False before a layout."""

    def __init__(self) -> None:
        self.buckets: dict[str, Record] = {}
        self.keys: dict[str, Record] = {}
        self.buried: set[str] = set()
        self.objects: dict[str, set[str]] = {}
        self.asked: list[str] = []
        self.is_ready = True
        self.cluster = ClusterStandIn()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"garage": self}))
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def bucket(self, name: str) -> Record:
        return next((found for found in self.buckets.values() if name in found["globalAliases"]), {})

    def secret_of(self, name: str) -> list[str]:
        """Ids and secrets of the keys that may do everything with a bucket."""
        ids = [key["accessKeyId"] for key in self.bucket(name)["keys"] if all(key["permissions"].values())]
        return [f"{id} {self.keys[id]['secretAccessKey']}" for id in ids]

    # The admin API's calls, by their names

    def call(self, name: str, query: dict[str, str], body: Record) -> Any:
        return getattr(self, f"_{name}")(**query, **body)

    def _GetNodeInfo(self, node: str) -> Record:
        return {"success": {self.cluster.own: {"nodeId": self.cluster.own}}, "error": {}}

    def _GetClusterLayout(self) -> Record:
        return self.cluster.layout()

    def _GetClusterLayoutHistory(self) -> Record:
        return {"versions": [{"version": 1, "status": status} for status in ("Current", *self.cluster.working())]}

    def _GetClusterStatus(self) -> Record:
        return {"nodes": [{"id": id, "isUp": True} for id in sorted(self.cluster.up)]}

    def _ConnectClusterNodes(self, nodes: list[str]) -> list[Record]:
        return [self.cluster.connect(node) for node in nodes]

    def _UpdateClusterLayout(self, roles: list[Record]) -> None:
        self.cluster.staged += roles

    def _ApplyClusterLayout(self, version: int) -> None:
        self.cluster.apply(version)

    def _ClusterLayoutSkipDeadNodes(self, version: int, allowMissingData: bool) -> None:
        self.cluster.skipped.append(version)

    def _ListWorkers(self, node: str) -> Record:
        worker = {"name": "Block resync worker #1", "persistentErrors": 0, "queueLength": 0, "state": "idle"}
        return {"success": {self.cluster.own: [worker]}, "error": {}}

    def _by(self, table: dict[str, Record], id: str, error: str) -> Record:
        if id not in table:
            raise No(404, error, f"not found: {id}")
        return table[id]

    def _GetBucketInfo(self, globalAlias: str) -> Record:
        return self.bucket(globalAlias) or self._by({}, globalAlias, "NoSuchBucket")

    def _GetKeyInfo(self, id: str, showSecretKey: str) -> Record:
        key = self._by(self.keys, id, "NoSuchAccessKey")
        buckets = [
            {"id": bucket["id"], "permissions": entry["permissions"]}
            for bucket in self.buckets.values()
            for entry in bucket["keys"]
            if entry["accessKeyId"] == id
        ]
        return {**key, "buckets": buckets}

    def _ListKeys(self) -> list[Record]:
        return [{"id": id, "name": key["name"]} for id, key in self.keys.items()]

    def _ListBucketsInfo(self, limit: str) -> list[Record]:
        return list(self.buckets.values())[: int(limit)]

    def _UpdateKey(self, id: str, name: str) -> None:
        self.keys[id]["name"] = name
        for entry in (entry for bucket in self.buckets.values() for entry in bucket["keys"]):
            entry["name"] = self.keys[entry["accessKeyId"]]["name"]

    def _CreateBucket(self, globalAlias: str) -> Record:
        id = f"{len(self.buckets):064x}"
        self.objects[id] = set()
        self.buckets[id] = {
            "id": id, "globalAliases": [globalAlias], "websiteAccess": False, "keys": [],
            "quotas": {"maxSize": None, "maxObjects": None},
        }  # fmt: skip
        return self.buckets[id]

    def _ImportKey(self, accessKeyId: str, secretAccessKey: str, name: str) -> Record:
        if accessKeyId in self.buried | self.keys.keys():
            raise No(409, "KeyAlreadyExists", f"Key {accessKeyId} already exists in data store.")
        self.keys[accessKeyId] = {"accessKeyId": accessKeyId, "secretAccessKey": secretAccessKey, "name": name}
        return self.keys[accessKeyId]

    def _CreateKey(self, name: str) -> Record:
        return self._ImportKey(f"GK{len(self.keys):024x}", "5" * 64, name)

    def _DeleteKey(self, id: str) -> None:
        self.keys.pop(id)
        self.buried.add(id)
        for bucket in self.buckets.values():
            bucket["keys"] = [entry for entry in bucket["keys"] if entry["accessKeyId"] != id]

    def _allow(self, bucketId: str, accessKeyId: str, permissions: Record, answer: bool) -> Record:
        bucket = self.buckets[bucketId]
        key = self._by(self.keys, accessKeyId, "NoSuchAccessKey")
        bucket["keys"] = [entry for entry in bucket["keys"] if entry["accessKeyId"] != accessKeyId]
        rights = dict.fromkeys(permissions, answer)
        bucket["keys"].append({"accessKeyId": accessKeyId, "name": key["name"], "permissions": rights})
        return bucket

    def _AllowBucketKey(self, **body: Any) -> Record:
        return self._allow(**body, answer=True)

    def _DenyBucketKey(self, **body: Any) -> Record:
        return self._allow(**body, answer=False)

    def _AddBucketAlias(self, bucketId: str, globalAlias: str) -> None:
        if self.bucket(globalAlias):
            raise No(400, "InvalidRequest", f"Alias {globalAlias} already exists and points to different bucket")
        self.buckets[bucketId]["globalAliases"].append(globalAlias)

    def _RemoveBucketAlias(self, bucketId: str, globalAlias: str) -> None:
        self.buckets[bucketId]["globalAliases"].remove(globalAlias)

    def _UpdateBucket(self, id: str, websiteAccess: Record, **settings: Any) -> None:
        bucket = self.buckets[id]
        bucket |= {"websiteAccess": websiteAccess["enabled"], **settings}
        if not settings["corsRules"]:
            del bucket["corsRules"]

    def _CleanupIncompleteUploads(self, **body: Any) -> Record:
        return {"uploadsDeleted": 0}

    def _DeleteBucket(self, id: str) -> None:
        if self.objects[id]:
            raise No(409, "BucketNotEmpty", "Tried to delete a non-empty bucket")
        del self.buckets[id]


class _Handler(BaseHTTPRequestHandler):
    garage: GarageStandIn

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def _serve(self) -> None:
        url, body = urlsplit(self.path), self.rfile.read(int(self.headers["Content-Length"] or 0))
        try:
            if url.path == "/metrics":
                self._say(200, f"garage_other 7\ngarage_replication_factor {self.garage.cluster.copies}\n")
            elif url.path.startswith("/v2/"):
                self._say(200, self._admin(url.path.removeprefix("/v2/"), dict(parse_qsl(url.query)), body))
            else:
                self._say(200, self._s3(url.path, body))
        except No as no:
            status, code, message = no.args
            self._say(status, json.dumps({"code": code, "message": message}))

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def _admin(self, name: str, query: dict[str, str], body: bytes) -> str:
        self.garage.asked.append(name)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            raise No(403, "AccessDenied", "Forbidden: Invalid `Authorization` token")
        if not self.garage.is_ready and name not in NEEDS_NO_LAYOUT:
            raise No(500, "InternalError", "Internal error: Layout not ready")
        told = json.loads(body or b"{}")
        return json.dumps(self.garage.call(name, query, {"nodes": told} if isinstance(told, list) else told))

    def _s3(self, path: str, body: bytes) -> str:
        assert re.fullmatch(r"AWS4-HMAC-SHA256 Credential=GK\w+/\d{8}/garage/s3/.+", self.headers["Authorization"])
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        objects = self.garage.objects[self.garage.bucket(bucket)["id"]]
        if self.command == "DELETE":
            objects.discard(key)
        elif self.command == "POST":
            objects -= {found.text or "" for found in ElementTree.fromstring(body).iter("Key")}
        keys = "".join(f"<Contents><Key>{escape(_as_url(key))}</Key></Contents>" for key in sorted(objects)[:1000])
        return f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{keys}</ListBucketResult>'


def _as_url(key: str) -> str:
    return "".join(
        letter if letter.isalnum() else "".join(f"%{byte:02X}" for byte in letter.encode()) for letter in key
    )
