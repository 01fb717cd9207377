"""The script by which GoToSocial gets its initial user: by its commands, its restart, and its HTTP API.

Its commands take a password as an argument only, where other users of the host could read it. So they get one that is
thrown away at once: the real one is set over the API.
"""

ACCOUNT_SCRIPT = """\
# Makes an administrator of GoToSocial, or (check) tells by the exit status whether he is there and can sign in.
# Standard input: his password.
import http.client, json, secrets, subprocess, sys, urllib.parse

action, port, domain, container, username, email, display_name = sys.argv[1:]
password = sys.stdin.read()
HERE = "urn:ietf:wg:oauth:2.0:oob"
COMMAND = 'IFS= read -r password; exec /gotosocial/gotosocial admin account "$@" --password "$password"'


def ask(method, path, form=None, *, token="", cookies=None):
    is_page = path.startswith(("/auth/", "/oauth/authorize"))
    headers = {"Host": domain, "X-Forwarded-Proto": "https", "User-Agent": "fedikit"}
    headers["Accept"] = "text/html" if is_page else "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
    try:
        connection.request(method, path, urllib.parse.urlencode(form or {}).encode(), headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    if cookies is not None:
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            cookies[name] = value
    if answer.status >= 400 and (answer.status, path) != (401, "/auth/sign_in"):
        said = "" if is_page else f": {text[:300]}"
        raise OSError(f"GoToSocial answered {method} {path.partition('?')[0]} with {answer.status}{said}")
    return answer.status, answer.headers.get("Location", ""), text


def told(method, path, form=None, *, token=""):
    text = ask(method, path, form, token=token)[2]
    return json.loads(text) if text else {}


def sign_in(secret):
    # A token, by the way that a browser goes; None if the password is refused.
    app = told("POST", "/api/v1/apps", {"client_name": "fedikit", "redirect_uris": HERE, "scopes": "read write"})
    client, cookies = {"client_id": app["client_id"], "redirect_uri": HERE}, {}
    wanted = urllib.parse.urlencode({**client, "response_type": "code", "scope": "read write"})
    ask("GET", f"/oauth/authorize?{wanted}", cookies=cookies)
    form = {"username": email, "password": secret}
    status, place, _ = ask("POST", "/auth/sign_in", form, cookies=cookies)
    if status == 401:
        return None
    if place.endswith("/auth/2fa"):
        raise SecondFactor
    place = ask("POST", "/oauth/authorize", {}, cookies=cookies)[1]
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(place).query).get("code")
    if not code:
        raise OSError(f"GoToSocial lets {email} sign in, but not use its API: it leads to {place or 'no other page'}")
    form = {**client, "client_secret": app["client_secret"], "grant_type": "authorization_code", "code": code[0]}
    return told("POST", "/oauth/token", form)["access_token"]


class SecondFactor(Exception):
    pass


def is_there():
    token = sign_in(password)
    return token is not None and is_administrator(token) and shown_name(token) == display_name


def is_administrator(token):
    return told("GET", "/api/v1/user", token=token)["admin"]


def shown_name(token):
    return told("GET", "/api/v1/accounts/verify_credentials", token=token)["display_name"]


def administer(*words, secret=None):
    if secret is None:
        command = ["/gotosocial/gotosocial", "admin", "account", *words]
    else:
        command = ["sh", "-c", COMMAND, "sh", *words]
    command = ["podman", "exec", "--interactive", container, *command]
    done = subprocess.run(command, input=f"{secret}\\n" if secret else "", capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise OSError(f"`admin account {words[0]}` of GoToSocial failed: {''.join(last)[:300]}")
    return done.stdout


def restart():
    # What its commands change, the server sees when it starts; it has started once it is healthy.
    subprocess.run(["systemctl", "restart", f"{container}.service"], check=True)


def is_known():
    return any(line.split()[:1] == [username] for line in administer("list").splitlines())


def let_in():
    # With a password that is known to nobody else and is replaced at once.
    throwaway = secrets.token_urlsafe(32)
    if is_known():
        administer("password", "--username", username, secret=throwaway)
    else:
        administer("create", "--username", username, "--email", email, secret=throwaway)
    administer("promote", "--username", username)
    restart()
    try:
        token = sign_in(throwaway)
    except SecondFactor:
        raise OSError(f"{username} of GoToSocial has a second factor, so only the user can set the password") from None
    if token is None:
        raise OSError(
            f"GoToSocial has a user {username}, but with another address than {email}, and no command changes it: "
            "name the old address in the configuration and apply again, or change it in GoToSocial first"
        )
    change = {"old_password": throwaway, "new_password": password}
    told("POST", "/api/v1/user/password_change", change, token=token)
    return token


def make():
    token = sign_in(password) or let_in()
    if not is_administrator(token):
        administer("promote", "--username", username)
        restart()
    if shown_name(token) != display_name:
        told("PATCH", "/api/v1/accounts/update_credentials", {"display_name": display_name}, token=token)


try:
    if action == "check":
        sys.exit(0 if is_there() else 1)
    make()
except SecondFactor:
    sys.exit(0)  # the password is right; with a second factor, nobody but the user gets any further
except (OSError, http.client.HTTPException, subprocess.CalledProcessError) as error:
    sys.exit(str(error))
"""
