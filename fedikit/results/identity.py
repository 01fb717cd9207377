"""What a deployment is known by, to data and to other servers: it must not change by accident."""

from collections.abc import Collection, Mapping

from fedikit.model.account import Account

MASTER_KEY = "master key"
SECRET = "secret "  # noqa: S105  # a prefix, and no secret
DOMAIN = "domain of "
USER, ADDRESS = "initial user of ", "address of the initial user of "


def refusals(had: Mapping[str, str], wanted: Mapping[str, str], consent: Collection[str]) -> tuple[str, ...]:
    """Why a host with data on it is not to be changed: what it is known by would be another, and nobody consented.

    `had` is what the host noted, `wanted` what it would be known by from now on: values by name. `consent` holds the
    names of what may change.
    """
    people = (USER, ADDRESS)
    changed = [name for name, value in wanted.items() if had.get(name, value) != value and not name.startswith(people)]
    if MASTER_KEY in changed:
        return () if MASTER_KEY in consent and not _permanent(wanted) else (_of_master_key(_permanent(wanted)),)
    return tuple(words for name in changed if (words := _of(name, had[name], wanted[name], consent)))


def _permanent(wanted: Mapping[str, str]) -> list[str]:
    return [name.removeprefix(SECRET) for name in wanted if name.startswith(SECRET)]


def _of_master_key(permanent: list[str]) -> str:
    lost = f"; what is encrypted with {', '.join(permanent)} would be lost" if permanent else ""
    rest = "" if permanent else f', or consent to new secrets with --consent "{MASTER_KEY}"'
    return (
        f"was deployed with another master key: every secret would change{lost}. "
        f"Restore the copy of that key; a new one is for a new environment{rest}"
    )


def _of(name: str, had: str, wanted: str, consent: Collection[str]) -> str:
    if name.startswith(SECRET):
        return (
            f"the permanent secret {name.removeprefix(SECRET)} would change, and what it encrypts would be lost. "
            "Give back the one that was there"
        )
    if wanted in consent:
        return ""
    application = name.removeprefix(DOMAIN)
    return (
        f"the domain of {application} would change from {had} to {wanted}: other servers know its users and posts by "
        f"{had}, and that cannot be told to them. If it is meant: --consent {wanted}"
    )


# The initial users


def refused_accounts(
    had: Mapping[str, str], accounts: Mapping[str, Account], consent: Collection[str]
) -> tuple[str, ...]:
    """Why applications could not make the accounts that are wanted from now on; `had` is what the host noted."""
    return tuple(words for name, account in accounts.items() if (words := _refused(had, name, account, consent)))


def _refused(had: Mapping[str, str], application: str, account: Account, consent: Collection[str]) -> str:
    user, address = had.get(f"{USER}{application}", account.username), had.get(f"{ADDRESS}{application}", "")
    if user != account.username and address == account.email != "" and account.address != "none":
        return "" if account.username in consent else (
            f"the initial user of {application} would change from {user} to {account.username} with the same address, "
            f"{address}, and no two can have one: give {account.username} another. If {user} has another address "
            f"there by now: --consent {account.username}"
        )  # fmt: skip
    if user == account.username and address not in ("", account.email) and account.address == "stays":
        return "" if account.email in consent else (
            f"the address of {user} would change from {address} to {account.email}, and only {application} itself can "
            f"change it: let {user} do it there first, then: --consent {account.email}"
        )  # fmt: skip
    return ""


def former_accounts(had: Mapping[str, str], accounts: Mapping[str, Account]) -> tuple[str, ...]:
    """What becomes of initial users who are none any more, in a sentence each."""
    users = {name: had.get(f"{USER}{name}", account.username) for name, account in accounts.items()}
    return tuple(
        f"the initial user of {name} becomes {accounts[name].username}, {accounts[name].rights} too: {user} stays "
        f"{accounts[name].rights}, with the password as it was. If {user} is not to be: change that in {name} itself"
        for name, user in users.items()
        if user != accounts[name].username
    )
