"""What the library says in English, in the operator's language: found by the form of its sentences.

Only for people to read: nothing is decided by it, and what has no known form stays English.
"""

import re
from functools import cache

from fedikit.panel.texts import Texts

_MISTAKES = (
    "is missing",
    "is empty",
    "is nested too deeply",
    "is not known",
    'is not known; did you mean "{name}"?',
    '{what}; did you mean "{name}"?',
    "is too long by {n} characters: servers keep files by the names of {application}",
    "is not known; known here: {names}",
    "is not for this type",
    "is there more than once",
    "is not a number that JSON knows",
    "does not say its {what}",
    'is of the type "{tag}", should be {choices}',
    "is too short, should have at least {n} characters",
    "is too short, should have at least {n} entries",
    "is too long, should have at most {n} characters",
    "is too long, should have at most {n} entries",
    "is {given}, should be {wanted}",
    "should be {wanted}",
    "true or false",
    "a whole number",
    "a number",
    "text",
    "a list",
    "a group of settings",
    "one line of text",
    "at least {n}",
    "at most {n}",
    "more than {n}",
    "'{first}' or '{last}'",
    "a short name of small letters, digits and dashes",
    "a fully qualified domain name in lower case, without a final dot",
    "a user's name in the fediverse: small letters, digits and _, a letter first",
    "one line of text, without control characters",
    "an e-mail address",
    "an address that starts with https://",
    "a server's address: http:// or https://, and no path",
    "text of the form {pattern}",
    "is a name that {application} keeps for itself",
    "should have no % for {application}",
    "is too long, should have at most {n} characters for {application}",
    "is too long, should have at most {n} bytes for {application} (a letter with an accent takes two)",
    "is too easy to guess, should be longer, or have more kinds of letters, digits and signs for {application}",
    "should be none: the server is one person's (singleUser)",
    "is missing: Mastodon wants an address and an account, or none of them",
    "is missing: the application is enabled, but placed on no host",
)
_HOSTS = (
    "bears data",
    "edited by hand",
    "is being changed by {who}",
    "the last apply ({run}) was interrupted; applying again completes it",
    "the last apply ({run}) failed at {item}: {message}",
    "not part of the last change",
    "{application} is closed since {time} by the migration {name}, and nothing of it is started: "
    "fedikit migrate or fedikit move goes on with that, fedikit migrate --back opens it again",
    "{application} is being moved from {source} to {host}, where it is closed: fedikit move goes on with that",
    "belongs to the deployment {name}",
    "belongs to the deployment {name}: let that one's environment open what this one needs "
    "(policies.firewall.open), and leave this host out of policies.firewall.hosts here",
    "the deployment {name} has a firewall here: from elsewhere only that is reached which "
    "policies.firewall of its environment opens",
    "closes port {port} ({protocol}), where {program} listens",
    "SSH listens at {port} here, and is let in at {n}",
    "{rival} closes ports here too, and a packet must pass both: take that out of force, or leave this "
    "host out of policies.firewall.hosts",
    "the deployer did not reach this host by a new connection within {n} s of the change, so the rules "
    "from before are back in force",
    "{host} cannot be reached",
    "is the machine up?",
    "wanted {wanted}, saw {seen}",
    "no answer from {place} in time",
    "connection refused by {place}",
    "an address of {name}",
    "a valid certificate for {name}",
    "{server} knows no such name",
    "no answer from the DNS server {server}",
    "not every host was brought to its wanted state",
    "not every check passed",
    "not every host can be worked on",
    "there is still something to do",
)
_ORDERS = (
    "this is not allowed:",
    "is not yours to change; ask your provider",
    "to destroy data, or to leave it behind, is the provider's",
    "a generation may hold what others changed: choose the settings of that time instead",
    "a plan must be looked at first",
    "to destroy or replace data takes the domain, typed",
    "a restore names one application and its backup",
    "{name} is not theirs to restore",
    "one of these must agree: {names}",
    "{name} is not theirs to remove",
    "{who} is at work there: {runbook}, since {time}",
    "wait for it to end, or stop it first",
    "to move everything to another provider is the provider's to allow",
    "to move everything takes the domain, typed",
    "a move takes everything along as it is, and changes nothing",
    "nobody has brought the new provider's file yet",
    "what would be done is no longer what was agreed to; nothing was changed",
    "look at the plan again: a host, the files or Debian's packages moved",
)
_MOVES = (
    "a move has begun, and takes the file that it began with",
    "go on with it, or go back",
    'the new provider calls itself "{name}", as this one does',
    "ask for a file with another name",
    "everything is with {there}, and goes nowhere else from here",
    "bring the file of {there} to come back, or ask there to move on",
    "nothing of it was kept; ask the new provider for another one, made by fedikit invite",
    "may only name what the file brings along",
    "is each deployer's own, and cannot be brought along",
    "is an address of this machine itself",
    "should be ssh: other hosts are on this machine itself",
    "is no UTF-8 text",
    "not everything could be carried over",
    "{application}: it is backed up in {here}, and not in {there}",
    "it cannot be rehearsed any more: the old side is closed",
    "{names}: it is on one of the sides only",
    "{host} cannot be asked: {reason}",
    "names do not lead to {name} yet; to be set: {words}",
    "set them, and do the same again; until then visitors reach the closed side, which says so",
    "{name} serves as before; do the same again",
    "{name} serves again, as before; do the same again",
    "{name} is closed, and could not be opened again: {reason}; do the same again",
    "it has no backup yet ({reason}): the first copy makes one, of all of it",
    "it has no backup yet: the first copy makes one, of all of it",
)
FORMS = dict.fromkeys(_MISTAKES + _HOSTS + _ORDERS + _MOVES) | {
    "placement.{application}: is missing: the application is enabled, but placed on no host": (
        "{application} is not offered there. Ask the new provider to offer it, or switch it off here before you move"
    ),
    "policies.{what}: is missing, but {application} asks for it": (
        "{application} needs something that is not offered there ({what}). Ask the new provider to add it"
    ),
    "{application}: its data on {host} of {name} is not backed up (policies.backup)": (
        "{application} is not backed up by {name}, and only what is backed up can move. Ask that provider to back it up"
    ),
    "{host} is not as this fedikit would set it up: it may close wholly what could be read meanwhile; apply {name} "
    "before": (
        "Perhaps nobody can read either while what was written last is copied: {host} is of an earlier state. Ask your "
        "provider to bring it up to date before"
    ),
    "{name} is {image} in {here} and {other} in {there}: migrate one version, upgrade afterwards": (
        "{name} is of another version there ({other}) than here ({image}). Ask the new provider for the version that "
        "is here; upgrade after the move"
    ),
    "{host} has it already, and not by this migration: what is there would be replaced; remove it there first: "
    "fedikit remove --purge": (
        "On {host} there is something of it already, which would be replaced. Ask the new provider to remove it"
    ),
    "{here} is closed, and {there} may have been written to: mend it, and do the same again; or go back with what "
    "was written: fedikit migrate --back": (
        "Here it is closed, and somebody may have written at {there}: have the reason mended and go on, or go back "
        "with what was written"
    ),
    "{here} is closed, and {there} may have been written to: mend it, and do the same again": (
        "{here} is closed, and somebody may have written at {there}: have the reason mended and go on"
    ),
    "the domain of {application} would change from {had} to {wanted}: other servers know its users and posts by "
    "{again}, and that cannot be told to them. If it is meant: --consent {consent}": (
        "The address of {application} would change from {had} to {wanted}: other servers know its users and posts by "
        "the old one, and that cannot be told to them. Take the old address back, or agree to the new one"
    ),
    "the initial user of {application} would change from {had} to {wanted} with the same address, {address}, and "
    "no two can have one: give {again} another. If {user} has another address there by now: --consent {consent}": (
        "The initial user of {application} would change from {had} to {wanted}, with the same address. Give {wanted} "
        "another one, or keep the name"
    ),
    "the address of {user} would change from {had} to {wanted}, and only {application} itself can change it: let "
    "{again} do it there first, then: --consent {consent}": (
        "The address of {user} would change from {had} to {wanted}, and only {application} itself can change it: let "
        "{user} do it there first, then agree"
    ),
    "the initial user of {application} becomes {wanted}, {rights} too: {had} stays {again}, with the password as it "
    "was. If {user} is not to be: change that in {place} itself": (
        "The initial user of {application} becomes {wanted}. {had} stays too, with the same rights and password: "
        "change that in {application} itself"
    ),
    "the permanent secret {name} would change, and what it encrypts would be lost. Give back the one that was there": (
        "A key that data depends on would change: {name}. Ask your provider to give back the one that was there"
    ),
    "was deployed with another master key: {rest}": (
        "This host was set up with another master key. Ask your provider to restore it"
    ),
}
"""The forms in which the library says something; beside those that are not for operators, how the panel says it."""


def said(message: str, *, text: Texts) -> str:
    """A message of the library as the panel says it."""
    for pattern, words in _patterns():
        if found := pattern.fullmatch(message):
            values = {name: said(value, text=text) for name, value in found.groupdict().items()}
            return text(words, **values) if values else text(words)
    return message


def told(error: str, *, text: Texts) -> str:
    """An error's text as the panel says it: what happened and what to do, in one line."""
    lines = (said(line.strip().removeprefix("→ "), text=text) for line in error.splitlines())
    return "; ".join(line for line in lines if line)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The more a form says by itself, the earlier it is tried."""
    longest = sorted(FORMS, key=lambda form: -len(re.sub(r"\{\w+\}", "", form)))
    return tuple((_pattern(form), FORMS[form] or form) for form in longest)


def _pattern(form: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", form)
    words = [f"(?P<{part}>.+)" if number % 2 else re.escape(part) for number, part in enumerate(parts)]
    return re.compile("".join(words), re.DOTALL)
