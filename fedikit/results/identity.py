"""What a deployment is known by, to data and to other servers: it must not change by accident."""

from collections.abc import Collection, Mapping

MASTER_KEY = "master key"
SECRET = "secret "  # noqa: S105  # a prefix, and no secret
DOMAIN = "domain of "


def refusals(had: Mapping[str, str], wanted: Mapping[str, str], consent: Collection[str]) -> tuple[str, ...]:
    """Why a host with data on it is not to be changed: what it is known by would be another, and nobody consented.

    `had` is what the host noted, `wanted` what it would be known by from now on: values by name. `consent` holds the
    names of what may change.
    """
    changed = [name for name, value in wanted.items() if had.get(name, value) != value]
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
