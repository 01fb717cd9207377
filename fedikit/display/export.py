"""Drawing exports: what of each application is there now, and where its README is."""

from collections.abc import Iterator

from rich.text import Text

from fedikit.display import markup
from fedikit.display.words import plural
from fedikit.results.export import Export, Exported, ExportedPart

COUNTED = {"volume": "file", "bucket": "object"}


def html_of_export(export: Export) -> Iterator[str]:
    return map(markup.lines, draw_export(export))


def draw_export(export: Export) -> Iterator[Text]:
    for one in export.all:
        yield from _lines(one)


def _lines(one: Exported) -> Iterator[Text]:
    if not one.manifest:
        yield Text.assemble((one.application, "bold"), (f"  {one.error}", "bold red"))
        return
    yield Text.assemble((one.application, "bold"), (f"  from {one.host}  ({one.seconds:.1f} s)", "dim"))
    for part in one.manifest.parts:
        yield Text(f"  {part.file}  {part.bytes / 1e6:,.1f} MB, {_counted(part)}")
    yield Text(f"  how to restore it: {one.folder}/README.md", style="green")


def _counted(part: ExportedPart) -> str:
    count = sum(part.counts.values())
    if part.kind in COUNTED:
        return plural(count, COUNTED[part.kind])
    return f"{plural(count, 'row')} in {plural(len(part.counts), 'table')}"
