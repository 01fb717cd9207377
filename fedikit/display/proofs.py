"""Drawing proofs: which backup was restored, what it held, and what was wrong with it."""

from collections.abc import Iterator

from rich.text import Text

from fedikit.display import markup
from fedikit.display.backups import counted
from fedikit.display.words import amount, plural
from fedikit.results.proof import Proof, Proofs


def html_of_proofs(proofs: Proofs) -> Iterator[str]:
    return map(markup.lines, draw_proofs(proofs))


def draw_proofs(proofs: Proofs) -> Iterator[Text]:
    for proof in proofs.proofs:
        yield from draw_proof(proof)
    yield from (Text(f"! {note}", style="yellow") for note in proofs.notes)


def html_of_proof(proof: Proof) -> Iterator[str]:
    return map(markup.lines, draw_proof(proof))


def draw_proof(proof: Proof) -> Iterator[Text]:
    for one in proof.backups:
        when = f"{one.backup.ended:%Y-%m-%d %H:%M} UTC"
        about = f"  on {one.host}, backup {one.backup.id} of {when}, {amount(one.backup.bytes)}"
        yield Text.assemble((proof.application, "bold"), (about, "dim"))
        for part in one.backup.parts:
            yield Text.assemble(f"  {part.id}  {counted(part.counts)}", (f"  {amount(part.bytes)}", "dim"))
    yield from (Text(f"  ✗ {words}", style="red") for words in proof.findings)
    if proof.post or proof.no_post:
        yield Text(f"  the newest post: {proof.post or proof.no_post}", style="" if proof.post else "yellow")
    if proof.picture:
        yield Text(f"  its picture: {proof.picture}", style="dim")
    yield _summary(proof)


def _summary(proof: Proof) -> Text:
    if not proof.succeeded:
        words = (f"Not proven: {plural(len(proof.findings), 'thing')} wrong with it.", "bold red")
    else:
        words = (f"Proven: restored as its manifest says, {plural(proof.checks, 'check')} held.", "bold green")
    return Text.assemble(words, (f"  ({proof.seconds:.1f} s, {proof.ended:%Y-%m-%d %H:%M} UTC)", "dim"))
