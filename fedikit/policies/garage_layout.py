"""What is run on a host so that Garage's cluster has a layout; without one, Garage serves nothing.

    python3 -I -c LAYOUT_SCRIPT make|check ZONE CAPACITY_BYTES [ID@ADDRESS:PORT …]     admin token on standard input

`make` waits for Garage on this host, connects the given nodes to it, gives this node and those a role if they have
none, applies the layout and waits until it serves. Roles that are there already, and other nodes, are left alone. It
takes 100 seconds at most, 580 where it has to wait for other nodes. `check` changes nothing, waits for nothing, and
exits with 0 when this node and the given ones are all in the layout that is applied.

A node's id is the public half of its key, Ed25519. Garage makes one at its first start unless `node_key` is there in
`metadata_dir`: 64 bytes, the seed of 32 and then the public key of 32. `node_key.pub` holds the latter alone; Garage's
command line needs it, the server does not. The id is written as 64 hexadecimal digits.
"""

LAYOUT_SCRIPT = '''\
"""Gives the nodes of a Garage cluster their roles."""
import json, sys, time, urllib.error, urllib.request

ADMIN = "http://127.0.0.1:3903"
act, zone, capacity, nodes = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
seconds = 580 if nodes else 100
token = sys.stdin.read().strip()
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Lacking(Exception):
    pass


def call(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(ADMIN + path, data, {"Authorization": "Bearer " + token})
    try:
        with direct.open(request, timeout=30) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        if error.code == 403:
            sys.exit(f"Garage at {ADMIN} does not take the admin token")
        raise Lacking(f"Garage at {ADMIN} answers {path} with {error.code}: {said[:400]}") from error
    except (OSError, urllib.error.URLError) as error:
        raise Lacking(f"Garage does not answer at {ADMIN}: {error}") from error


def ask(name, body=None):
    return json.loads(call("/v2/" + name, body))


def wanted():
    own = set(ask("GetNodeInfo?node=self")["success"])
    return own, own | {node.split("@")[0] for node in nodes}


def without_role(ids):
    layout = ask("GetClusterLayout")
    return layout, sorted(ids - {role["id"] for role in layout["roles"]})


def connect(own, ids):
    up = {node["id"] for node in ask("GetClusterStatus")["nodes"] if node["isUp"]} | own
    away = [node for node in nodes if node.split("@")[0] not in up]
    for node, result in zip(away, ask("ConnectClusterNodes", away) if away else []):
        if not result["success"]:
            raise Lacking(f"Garage cannot reach the node {node}: {result['error']}")
    if not away and ids - up:
        raise Lacking("not all nodes are up: " + ", ".join(sorted(ids - up)))
    if away:
        raise Lacking("waits to see the nodes that it has just reached: " + ", ".join(away))


def place(layout, lacking):
    strange = [change["id"] for change in layout["stagedRoleChanges"] if change["id"] not in lacking]
    if strange or layout["stagedParameters"]:
        sys.exit("somebody else has staged changes of the layout: apply or revert them (garage layout show) before")
    roles = [{"id": id, "zone": zone, "capacity": capacity, "tags": []} for id in lacking]
    ask("UpdateClusterLayout", {"roles": roles})
    ask("ApplyClusterLayout", {"version": layout["version"] + 1})


def make():
    own, ids = wanted()
    connect(own, ids)
    layout, lacking = without_role(ids)
    if lacking:
        place(layout, lacking)
    call("/health")


def check():
    try:
        sys.exit(1 if without_role(wanted()[1])[1] else 0)
    except Lacking as lacking:
        sys.exit(str(lacking))


if act == "check":
    check()
end = time.monotonic() + seconds
while True:
    try:
        make()
        break
    except Lacking as lacking:
        if time.monotonic() > end:
            sys.exit(f"{lacking} (waited {seconds} s)")
        time.sleep(0.5)
'''
