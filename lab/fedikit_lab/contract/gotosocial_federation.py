"""GoToSocial's stand-in among other servers (ActivityPub): people follow each other, and posts go to who follows.

As upstream's, its accounts are locked: who wants to follow one must be let in. Nobody sees more of an account than its
public key who does not sign for what they ask.
"""

import json
import queue
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from .gotosocial_peers import ACTIVITY, PeerError, Peers, Signer, is_signed, key_id_of, new_key
from .gotosocial_settings import Settings
from .gotosocial_store import Store, new_id
from .shared import Answer, Request, json_answer
from .tables import Row

_CONTEXT = ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"]
_PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
_SIGNED = ("host", "date", "digest", "signature")
_TRIES, _PAUSE_SECONDS = 5, 2.0
_Handler = Callable[..., Answer]
_ForUser = Callable[[Callable[..., Answer]], _Handler]


class Federation:
    """What other servers ask for, and what users may do with those."""

    def __init__(self, settings: Settings, store: Store, for_user: _ForUser) -> None:
        self._settings = settings
        self._store = store
        self._for_user = for_user
        self._peers = Peers(settings.allowed_networks)
        self._outgoing: queue.Queue[tuple[str, dict[str, Any], Signer]] = queue.Queue()
        threading.Thread(target=self._send, daemon=True).start()

    def routes(self) -> dict[tuple[str, str], _Handler]:
        """The addresses that are answered."""
        return {
            ("GET", "/users/{name}"): self._actor,
            ("GET", "/users/{name}/main-key"): self._main_key,
            ("POST", "/users/{name}/inbox"): self._inbox,
            ("GET", "/api/v2/search"): self._for_user(self._search),
            ("POST", "/api/v1/accounts/{id}/follow"): self._for_user(self._follow),
            ("GET", "/api/v1/accounts/relationships"): self._for_user(self._relationships),
            ("GET", "/api/v1/follow_requests"): self._for_user(self._follow_requests),
            ("POST", "/api/v1/follow_requests/{id}/authorize"): self._for_user(self._authorize),
            ("GET", "/api/v1/timelines/home"): self._for_user(self._home),
        }

    def publish(self, user: Row, number: str, text: str) -> None:
        """Sends a post to everybody who follows its author."""
        actor = self._uri(user["username"])
        note = {
            "id": f"{actor}/statuses/{number}",
            "type": "Note",
            "attributedTo": actor,
            "published": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "to": _PUBLIC,
            "cc": f"{actor}/followers",
            "content": text,
        }
        create = {"id": f"{note['id']}/activity#Create", "type": "Create", "to": note["to"], "cc": note["cc"]}
        for peer in self._followers(user["account_id"]):
            self._enqueue(peer["inbox"], user, {**create, "object": note})

    # What other servers ask for

    def _actor(self, request: Request, name: str) -> Answer:
        if not self._sender(request, name):
            return _unsigned()
        actor = self._uri(name)
        more = {"inbox": f"{actor}/inbox", "outbox": f"{actor}/outbox", "followers": f"{actor}/followers"}
        shown = {"url": f"{self._settings.url}/@{name}", "manuallyApprovesFollowers": True}
        return _document({**self._key(name), **more, **shown})

    def _main_key(self, request: Request, name: str) -> Answer:
        known = self._store.ask("select id from accounts where username = %s", name)
        return _document(self._key(name)) if known else json_answer({"error": "Not Found"}, 404)

    def _key(self, name: str) -> dict[str, Any]:
        """The least of an account, which everybody may see."""
        actor = self._uri(name)
        key = {"id": f"{actor}/main-key", "owner": actor, "publicKeyPem": self._keys(name)[1]}
        return {"id": actor, "type": "Person", "preferredUsername": name, "publicKey": key}

    def _sender(self, request: Request, name: str) -> str:
        """Which account elsewhere signed for a request; nothing if none did. Its key is all that is asked for."""
        address = key_id_of(request.header("Signature")).partition("#")[0]
        if not address or not self._store.ask("select id from accounts where username = %s", name):
            return ""
        try:
            told = self._peers.read(address, self._signer(name))
            owner, key = told["id"], told["publicKey"]["publicKeyPem"]
        except (PeerError, KeyError, ValueError) as error:
            print(f"public key: {error}", flush=True)
            return ""
        headers = {header: request.header(header) for header in _SIGNED if request.header(header)}
        return str(owner) if is_signed(request.method, request.path, headers, request.body, key) else ""

    def _inbox(self, request: Request, name: str) -> Answer:
        sender, given = self._sender(request, name), request.json()
        if not sender or not isinstance(given, dict) or given.get("actor") != sender:
            return _unsigned()
        peer = self._peer(sender, name)
        account = self._store.ask("select id from accounts where username = %s", name)[0]["id"]
        match given.get("type"):
            case "Follow":
                self._note(account, peer, incoming=True, activity=given)
            case "Accept":
                self._accept(account, peer["id"], incoming=False)
            case "Create" if isinstance(given.get("object"), dict):
                self._keep(account, peer, given["object"])
        return Answer(202)

    def _keep(self, account: str, sender: Row, note: dict[str, Any]) -> None:
        """Posts of those whom somebody follows come into their timeline."""
        follows = "select 1 from follows where account_id = %s and peer_id = %s and not incoming and accepted"
        if self._store.ask(follows, account, sender["id"]):
            self._store.ask(
                "insert into timeline values (%s, %s, %s, %s, %s) on conflict do nothing",
                *(new_id(), account, sender["id"], note.get("id"), note.get("content", "")),
            )

    # What users may do

    def _search(self, request: Request, user: Row) -> Answer:
        name, _, host = request.query.get("q", "").strip("@").partition("@")
        resource = urllib.parse.urlencode({"resource": f"acct:{name}@{host}"})
        try:
            found = self._peers.read(f"https://{host}/.well-known/webfinger?{resource}", kind="application/jrd+json")
            (uri,) = {link["href"] for link in found["links"] if link.get("type") == ACTIVITY}
            peer = self._peer(uri, user["username"])
        except (PeerError, KeyError, ValueError) as error:
            print(f"search: {error}", flush=True)
            return json_answer({"accounts": [], "statuses": [], "hashtags": []})
        return json_answer({"accounts": [_told_peer(peer)], "statuses": [], "hashtags": []})

    def _follow(self, request: Request, user: Row, number: str) -> Answer:
        found = self._store.ask("select * from peers where id = %s", number)
        if not found:
            return json_answer({"error": "Not Found"}, 404)
        actor = self._uri(user["username"])
        follow = {
            "id": f"{actor}/follow/{new_id()}",
            "type": "Follow",
            "object": found[0]["uri"],
            "to": found[0]["uri"],
        }
        self._note(user["account_id"], found[0], incoming=False, activity=follow)
        self._enqueue(found[0]["inbox"], user, follow)
        return json_answer(self._relation(user, number))

    def _relationships(self, request: Request, user: Row) -> Answer:
        return json_answer([self._relation(user, request.query.get("id[]", ""))])

    def _relation(self, user: Row, number: str) -> dict[str, Any]:
        kept = self._store.ask(
            "select * from follows where account_id = %s and peer_id = %s", user["account_id"], number
        )
        states = {one["incoming"]: one["accepted"] for one in kept}
        told = {"following": states.get(False, False), "requested": states.get(False) is False}
        return {"id": number, **told, "followed_by": states.get(True, False)}

    def _follow_requests(self, request: Request, user: Row) -> Answer:
        waiting = self._store.ask(
            "select peers.* from follows join peers on peers.id = peer_id "
            "where account_id = %s and incoming and not accepted",
            user["account_id"],
        )
        return json_answer([_told_peer(peer) for peer in waiting])

    def _authorize(self, request: Request, user: Row, number: str) -> Answer:
        waiting = self._store.ask(
            "select * from follows join peers on peers.id = peer_id "
            "where account_id = %s and peer_id = %s and incoming",
            *(user["account_id"], number),
        )
        if not waiting:
            return json_answer({"error": "Not Found"}, 404)
        self._accept(user["account_id"], number, incoming=True)
        accept = {"id": f"{self._uri(user['username'])}/accepts/{new_id()}", "type": "Accept"}
        follow = json.loads(waiting[0]["activity"])
        self._enqueue(waiting[0]["inbox"], user, {**accept, "object": follow, "to": waiting[0]["uri"]})
        return json_answer(self._relation(user, number))

    def _home(self, request: Request, user: Row) -> Answer:
        posts = self._store.ask(
            "select timeline.*, handle from timeline join peers on peers.id = peer_id "
            "where account_id = %s order by timeline.id desc",
            user["account_id"],
        )
        return json_answer([{"uri": one["uri"], "content": one["content"], "account": one["handle"]} for one in posts])

    # What is known, and what is on its way

    def _uri(self, name: str) -> str:
        return f"{self._settings.url}/users/{name}"

    def _keys(self, name: str) -> tuple[str, str]:
        """The private and the public key of an account here, made when they are first needed."""
        look = "select private_key, public_key from accounts where username = %s"
        if not self._store.ask(look, name)[0]["private_key"]:
            fill = "update accounts set private_key = %s, public_key = %s where username = %s and private_key is null"
            self._store.ask(fill, *new_key(), name)
        found = self._store.ask(look, name)[0]
        return found["private_key"], found["public_key"]

    def _signer(self, name: str) -> Signer:
        return Signer(f"{self._uri(name)}/main-key", self._keys(name)[0])

    def _peer(self, uri: str, name: str) -> Row:
        """An account elsewhere, asked for the first time it is met, by one here. Raises PeerError."""
        known = self._store.ask("select * from peers where uri = %s", uri)
        if known:
            return known[0]
        told = self._peers.read(uri, self._signer(name))
        handle = f"{told['preferredUsername']}@{urllib.parse.urlsplit(uri).hostname}"
        self._store.ask(
            "insert into peers values (%s, %s, %s, %s, %s) on conflict do nothing",
            *(new_id(), uri, handle, told.get("inbox"), told["publicKey"]["publicKeyPem"]),
        )
        return self._peer(uri, name)

    def _followers(self, account: str) -> list[Row]:
        joined = "select peers.* from follows join peers on peers.id = peer_id"
        return self._store.ask(f"{joined} where account_id = %s and incoming and accepted", account)

    def _note(self, account: str, peer: Row, *, incoming: bool, activity: dict[str, Any]) -> None:
        self._store.ask(
            "insert into follows values (%s, %s, %s, false, %s) "
            "on conflict (account_id, peer_id, incoming) do update set activity = excluded.activity",
            *(account, peer["id"], incoming, json.dumps(activity)),
        )

    def _accept(self, account: str, peer: str, *, incoming: bool) -> None:
        statement = "update follows set accepted = true where account_id = %s and peer_id = %s and incoming = %s"
        self._store.ask(statement, account, peer, incoming)

    def _enqueue(self, inbox: str, user: Row, activity: dict[str, Any]) -> None:
        whole = {"@context": _CONTEXT, "actor": self._uri(user["username"]), **activity}
        self._outgoing.put((inbox, whole, self._signer(user["username"])))

    def _send(self) -> None:
        """One after the other; what another server does not take is tried again for a while."""
        while True:
            inbox, activity, signer = self._outgoing.get()
            for _ in range(_TRIES):
                try:
                    self._peers.deliver(inbox, activity, signer)
                    break
                except PeerError as error:
                    print(f"delivery: {error}", flush=True)
                    time.sleep(_PAUSE_SECONDS)


def _told_peer(peer: Row) -> dict[str, Any]:
    return {"id": peer["id"], "acct": peer["handle"], "uri": peer["uri"]}


def _unsigned() -> Answer:
    return json_answer({"error": "Unauthorized: http request wasn't signed or http signature was invalid"}, 401)


def _document(value: dict[str, Any]) -> Answer:
    return json_answer({"@context": _CONTEXT, **value}, kind=ACTIVITY)
