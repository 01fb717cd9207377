"""The first verb, init: asks for what is needed, and says what is next."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fedikit.cli import output
from fedikit.cli.host import vouched_key

if TYPE_CHECKING:
    from fedikit.setup.answers import Answers, FirstHost
    from fedikit.setup.first import Begun

FLAGS = {
    "domain": "--domain",
    "name": "--name",
    "username": "--username",
    "email": "--email",
    "applications": "--application",
}
"""What has no default, and the flags that give it."""


@click.command()
@click.argument("folder", required=False, default=".", metavar="[DIR]", type=click.Path(file_okay=False))
@click.option("--domain", help="The domain under which everything is found.")
@click.option("--name", help="The initial user's name, that others see.")
@click.option("--username", help="The name that the initial user signs in with.")
@click.option("--email", help="Where mail reaches the initial user.")
@click.option("--application", "applications", multiple=True, help="An application to run; may be given again.")
@click.option(
    "--certificates-email", help="Whom the authority of certificates may write to; the initial user if absent."
)
@click.option("--host", "host_name", help="What the first host is called here.")
@click.option("--address", help="Where its SSH answers; without it, hosts come later: fedikit host add.")
@click.option("--user", help="Who logs in there: root, or who has sudo without a password.")
@click.option("--port", type=int, help="The port of its SSH.")
@click.option("--fingerprint", help="The fingerprint of its key (SHA256:…), as its own console shows it.")
@click.option("--identity-file", help="A private key that you have; a new pair is made if absent.")
def init(folder: str, **given: Any) -> None:
    """Begin: write both files, the master key and an SSH key pair. Asks for what is needed; overwrites nothing."""
    from fedikit.setup.first import begin, check_place

    check_place(Path(folder))
    answers = _asked(given) if output.is_attended() else _given(given)
    begun = begin(Path(folder), answers)
    _say_what_is_next(Path(folder), answers, begun)


# What is answered


def _given(given: dict[str, Any]) -> "Answers":
    """The answers, where nobody can be asked; what is missing is named all at once."""
    missing = [flag for key, flag in FLAGS.items() if not given[key]]
    if given["address"] and not given["fingerprint"]:
        missing.append("--fingerprint (as the host's own console shows it)")
    if missing:
        raise click.UsageError(f"there is nobody to ask, so give these too: {', '.join(missing)}")
    return _answers(given)


def _asked(given: dict[str, Any]) -> "Answers":
    """The answers, where those that were not given are asked for."""
    person = {"domain": "Domain", "name": "Your name, as others see it", "username": "Name to sign in with"}
    for key, question in {**person, "email": "Your e-mail address"}.items():
        given[key] = given[key] or click.prompt(question, value_proc=_fits(key), err=True)
    given["applications"] = given["applications"] or _chosen()
    if not given["certificates_email"]:
        question = "Whom may Let's Encrypt write to about certificates?"
        given["certificates_email"] = click.prompt(
            question, default=given["email"], value_proc=_fits("email"), err=True
        )
    if not given["address"]:
        question = "Address of the first host (nothing: later, by fedikit host add)"
        given["address"] = click.prompt(question, default="", show_default=False, err=True)
    if given["address"]:
        given["host_name"] = given["host_name"] or click.prompt("What is it called here?", default="social", err=True)
        given["user"] = given["user"] or click.prompt("Who logs in there?", default="root", err=True)
    if not given["identity_file"]:
        question = "Private key to log in with (nothing: a new pair is made)"
        given["identity_file"] = click.prompt(question, default="", show_default=False, err=True)
    return _answers(given)


def _fits(field: str) -> Callable[[str], str]:
    """Takes an answer if it fits the field, or says why not, so that it is asked again."""

    def convert(text: str) -> str:
        from pydantic import TypeAdapter, ValidationError

        from fedikit.model.mistake import mistakes_in
        from fedikit.setup.answers import Answers

        info = Answers.model_fields[field]
        try:
            fitting: str = TypeAdapter(info.rebuild_annotation()).validate_python(text.strip())
        except ValidationError as error:
            words = "; ".join(mistake.message for mistake in mistakes_in(error, text))
            raise click.UsageError(words) from None
        return fitting

    return convert


def _chosen() -> tuple[str, ...]:
    """The applications, chosen from a list with a line to each."""
    from fedikit.environment.load import load_catalogue

    catalogue = load_catalogue()
    for name, application in sorted(catalogue.items()):
        click.echo(f"  {name:<12} {(type(application).__doc__ or '').strip().splitlines()[0]}", err=True)

    def convert(text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(re.split(r"[\s,]+", text.strip())))
        if unknown := [name for name in names if name not in catalogue]:
            raise click.UsageError(f"there is no {', '.join(unknown)}")
        return names

    chosen: tuple[str, ...] = click.prompt("Which of these? (several with spaces)", value_proc=convert, err=True)
    return chosen


def _answers(given: dict[str, Any]) -> "Answers":
    from pydantic import ValidationError

    from fedikit.errors import ConfigurationError
    from fedikit.model.mistake import mistakes_in
    from fedikit.setup.answers import Answers

    fields = {key: given[key] for key in FLAGS} | {"certificates_email": given["certificates_email"] or given["email"]}
    if given["identity_file"]:
        fields["identity_file"] = str(Path(given["identity_file"]).expanduser().absolute())
    try:
        Answers(**fields)  # before a host is asked for its key
        return Answers(**fields, host=_first_host(given) if given["address"] else None)
    except ValidationError as error:
        raise ConfigurationError("fedikit init", mistakes_in(error, fields)) from None


def _first_host(given: dict[str, Any]) -> "FirstHost":
    from fedikit.remote.shown_key import shown_key
    from fedikit.setup.answers import FirstHost

    name, port = given["host_name"] or "social", given["port"] or 22
    key = vouched_key(name, given["address"], shown_key(name, given["address"], port), given["fingerprint"])
    return FirstHost(name=name, address=given["address"], user=given["user"] or "root", port=port, host_key=key)


# What is said in the end


def _say_what_is_next(folder: Path, answers: "Answers", begun: "Begun") -> None:
    """What was made, and the next steps, each with its command."""
    click.echo(f"Made in {folder}: {', '.join(begun.made)}")
    if begun.to_ignore:
        click.echo(f"Your .gitignore stays as it is. Add to it: {' '.join(begun.to_ignore)}")
    for number, step in enumerate(_next_steps(folder, answers, begun), start=1):
        click.echo(f"{number}. {step}")


def _next_steps(folder: Path, answers: "Answers", begun: "Begun") -> list[str]:
    user, files = answers.host.user if answers.host else "root", "-e environment.toml"
    steps = ["Copy master.key to a safe place: every secret comes from it, and nothing else can make them again."]
    if begun.public_key:
        home = "/root" if user == "root" else f"/home/{user}"
        steps.append(f"On the host, put this line into {home}/.ssh/authorized_keys:\n   {begun.public_key}")
    if not answers.host:
        places = " ".join(f"--place {name}" for name in answers.applications)
        pair = f" --identity-file {answers.identity_file}"
        steps.append(
            f"Name a host, which also compares its key: fedikit host add social ADDRESS{pair} {places} {files}"
        )
    into = "" if folder == Path() else f"cd {folder}; "
    steps.append(f"See what lacks yet: {into}fedikit doctor {files}")
    steps.append(f"Set the names that lead there: fedikit dns {files}")
    return [*steps, f"Look, then act: fedikit plan {files}, fedikit apply {files}"]
