"""The script by which PeerTube gets its initial user: over its REST API, for no command of it makes users."""

ACCOUNT_SCRIPT = """\
# Makes an administrator of PeerTube, or (check) tells by the exit status whether he is there and can sign in.
# Standard input: the password of PeerTube's own user root, then that of the user, a line each.
import json, sys, urllib.error, urllib.parse, urllib.request

action, server, domain, username, email, display_name = sys.argv[1:]
root_password, password = sys.stdin.read().split("\\n")
ADMINISTRATOR = 0


def ask(method, path, body=None, *, token="", form=None):
    headers = {"Host": domain, "X-Forwarded-Proto": "https"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None
    if form is not None:
        data, headers["Content-Type"] = urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
    elif body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(server + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:300]
        raise OSError(f"PeerTube answered {method} {path} with {error.code}: {said}") from error
    return json.loads(text) if text else {}


def sign_in(name, secret):
    client = ask("GET", "/api/v1/oauth-clients/local")
    form = {"client_id": client["client_id"], "client_secret": client["client_secret"], "grant_type": "password"}
    form |= {"response_type": "code", "username": name, "password": secret}
    return ask("POST", "/api/v1/users/token", form=form)["access_token"]


def is_there():
    me = ask("GET", "/api/v1/users/me", token=sign_in(username, password))
    return me["email"] == email and me["role"]["id"] == ADMINISTRATOR


def find(name, token):
    found = ask("GET", "/api/v1/users?search=" + urllib.parse.quote(name), token=token)["data"]
    return next((user for user in found if user["username"] == name), None)


def make():
    token = sign_in("root", root_password)
    root, known = find("root", token), find(username, token)
    if username != "root" and root["email"] == email:  # as PeerTube starts; no two users may have the same address
        ask("PUT", f"/api/v1/users/{root['id']}", {"email": f"root@{domain}"}, token=token)
    wanted = {"email": email, "password": password}
    if known:
        role = {} if username == "root" else {"role": ADMINISTRATOR}
        ask("PUT", f"/api/v1/users/{known['id']}", wanted | role, token=token)
    else:
        quota = {"videoQuota": -1, "videoQuotaDaily": -1, "channelName": f"{username}_channel"}
        ask("POST", "/api/v1/users", {"username": username, "role": ADMINISTRATOR, **wanted, **quota}, token=token)
    ask("PUT", "/api/v1/users/me", {"displayName": display_name}, token=sign_in(username, password))


try:
    if action == "check":
        sys.exit(0 if is_there() else 1)
    make()
except OSError as error:
    sys.exit(str(error))
"""
