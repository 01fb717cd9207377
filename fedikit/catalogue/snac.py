"""snac: a small ActivityPub server, from Debian's package `snac2`."""

import json
from typing import Annotated

from pydantic import Field

from fedikit.model import (
    Application,
    Check,
    Context,
    Directory,
    File,
    HttpAnswers,
    Job,
    Line,
    NodeInfo,
    PageShows,
    Person,
    Requests,
    Route,
    SecretText,
    Settings,
    SignsIn,
    Subdomain,
    SystemService,
    WebFinger,
    WebSite,
    initial_password,
)

BASE = "/var/lib/snac2"
OWNER = "debian-snac"
PORT = 8001


class SnacSettings(Settings):
    """The small social network server."""

    subdomain: Subdomain = "snac"
    """What stands before the domain in its web address. Cannot change once there are users."""
    title: Annotated[Line, Field(max_length=100)] = ""
    """The server's title, as other software shows it."""
    description: Annotated[Line, Field(max_length=500)] = ""
    """A sentence about the server, as other software shows it."""


class Snac(Application[SnacSettings]):
    """A small social network server that speaks with Mastodon and its kin, and needs no database."""

    name = "snac"

    def requests(self, settings: SnacSettings, context: Context) -> Requests:
        domain = context.site(settings.subdomain)
        server = _in_base("server.json", _server(domain, settings, context.initial_user))
        service = SystemService(
            packages=("snac2",),
            unit="snac2.service",
            directories=(Directory(path=BASE, mode="2770", owner=OWNER, group=OWNER, data=True),),
            files=(server,),
            setup=(_initial_user(context.initial_user),),
        )
        return {"service": service, "site": WebSite(domain=domain, routes=(Route(port=PORT),))}

    def checks(self, settings: SnacSettings, context: Context) -> list[Check]:
        domain, user = context.site(settings.subdomain), context.initial_user
        home, password = f"https://{domain}/{user.username}", initial_password("snac")
        return [
            HttpAnswers(application=self.name, url=f"https://{domain}/", contains=domain),
            NodeInfo(application=self.name, domain=domain, software="snac"),
            WebFinger(application=self.name, domain=domain, account=f"{user.username}@{domain}"),
            PageShows(application=self.name, url=home, text=user.display_name),
            SignsIn(application=self.name, url=f"{home}/admin", username=user.username, secret=password),
        ]


def _in_base(name: str, content: str) -> File:
    return File(path=f"{BASE}/{name}", content=content, mode="0660", owner=OWNER, group=OWNER)


def _server(domain: str, settings: SnacSettings, administrator: Person) -> str:
    """The package's own server.json, with this server's names in it; the package leaves `localhost` there."""
    described = {
        "host": domain,
        "prefix": "",
        "address": "127.0.0.1",
        "port": PORT,
        "layout": 2.7,  # of the files below BASE, as snac 2.75 writes them
        "dbglevel": 0,
        "queue_retry_minutes": 2,
        "queue_retry_max": 10,
        "queue_timeout": 6,
        "queue_timeout_2": 8,
        "cssurls": [""],
        "def_timeline_entries": 50,
        "max_timeline_entries": 50,
        "timeline_purge_days": 120,
        "local_purge_days": 0,
        "min_account_age": 0,
        "admin_email": administrator.email,
        "admin_account": administrator.username,
        "title": settings.title,
        "short_description": settings.description,
        "short_description_raw": False,
        "protocol": "https",
        "fastcgi": False,
    }
    return json.dumps(described, indent=4, ensure_ascii=False) + "\n"


def _initial_user(user: Person) -> Job:
    command = ("python3", "-I", "-c", ACCOUNT_SCRIPT)
    account = (BASE, user.username, user.display_name)
    return Job(
        name="snac initial user",
        run=(*command, "make", *account),
        check=(*command, "check", *account),
        stdin=SecretText(parts=(initial_password("snac"),)),
        user=OWNER,
    )


ACCOUNT_SCRIPT = '''\
# Makes an account of snac, or (check) tells by the exit status whether it is there. Password on standard input.
import hashlib, json, os, pathlib, shutil, subprocess, sys

action, base, username, display_name = sys.argv[1:]
password = sys.stdin.read()
home = pathlib.Path(base, "user", username)
profile, key = home / "user.json", home / "key.json"


def hashed(nonce):
    """As snac 2.75 keeps a password."""
    return nonce + ":" + hashlib.sha1(f"{nonce}:{username}:{password}".encode()).hexdigest()


def is_whole():
    """snac writes the key last, after seconds of reckoning; an account without one never worked."""
    return key.is_file() and key.stat().st_size > 0


def is_as_wanted():
    account = json.loads(profile.read_text())
    return account["name"] == display_name and account["passwd"] == hashed(account["passwd"].split(":")[0])


def make():
    if not is_whole():
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run(["snac", "adduser", base, username], stdout=subprocess.DEVNULL, check=True)
    account = json.loads(profile.read_text())
    account.update(name=display_name, passwd=hashed(os.urandom(4).hex()))
    os.umask(0o007)
    draft = home / "user.json.new"
    draft.write_text(json.dumps(account, indent=4))
    draft.replace(profile)


if action == "check":
    sys.exit(0 if is_whole() and is_as_wanted() else 1)
make()
'''
