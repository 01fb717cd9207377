"""The form in which an operator chooses: ipywidgets made of a schema, filled in from a document, checked by the model.

Rule: nothing is validated here. What was entered becomes a document; what is wrong with that, the model says.
"""

from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any

import ipywidgets as widgets

from fedikit.environment.schema import JsonSchema
from fedikit.errors import Mistake
from fedikit.panel.controls import ButtonFold, Fold, box, control, show
from fedikit.panel.fields import (
    FORGET,
    Entry,
    Field,
    Group,
    Part,
    Secret,
    Switch,
    by_place,
    document_of,
    entries_of,
    parts_of,
    value_at,
)
from fedikit.panel.notes import mistakes_html, note_html, said, secret_words, slug, summary_html
from fedikit.panel.outline import outline
from fedikit.panel.texts import Texts

FIRST = ("subdomain", "registrations", "title", "description")
"""What most want to set of an application; the rest is folded away."""
ENABLE = "enable"
"""The switch that makes a group an application."""


class Form:
    """A form for the documents that a JSON Schema describes.

    `check` says what is wrong with a document, `may_change` whether the setting at a dotted path is this person's to
    change. `on_change` is called after something was entered and checked.
    """

    def __init__(
        self,
        described: JsonSchema,
        document: Any,
        *,
        text: Texts,
        check: Callable[[Any], Sequence[Mistake]],
        may_change: Callable[[str], bool] = lambda path: True,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.mistakes: tuple[Mistake, ...] = ()
        self._text, self._check, self._may_change, self._on_change = text, check, may_change, on_change
        self._outline = outline(described)
        self._parts = {part.path: part for part in parts_of(self._outline)}
        self._before, self._entries = document, entries_of(self._outline, document)
        self._controls: dict[str, Any] = {}
        self._forgetters: dict[str, Any] = {}
        self._notes: dict[str, Any] = {}
        self._folds: list[Fold] = []
        self._opened_by: dict[str, Fold] = {}
        self._is_showing = False
        self.widget = self._page()
        self._tell()

    @property
    def document(self) -> dict[str, Any]:
        """The document as of now: what was entered, right or wrong."""
        document: dict[str, Any] = document_of(self._outline, self._entries, self._before)
        return document

    def load(self, document: Any) -> None:
        """Shows another document instead; what was entered is gone."""
        self._before, self._entries = document, entries_of(self._outline, document)
        for path in self._controls:
            self._show(path)
        for path, fold in self._opened_by.items():
            if isinstance(self._parts[path], Group):
                fold.turn(is_open=bool(self._entries[path]))
        self._tell()

    # What it is made of, from top to bottom

    def _page(self) -> Any:
        parts = self._outline.parts
        applications = [part for part in parts if isinstance(part, Group) and _switches(part)]
        last = [part for part in parts if part.key == ENABLE]
        first = [part for part in parts if part not in applications and part not in last]
        style = widgets.HTML(f"<style>{files('fedikit.panel').joinpath('form.css').read_text('utf-8')}</style>")
        inside = [
            *self._settings(first),
            *map(self._application, applications),
            *self._more(last, self._text("everything")),
        ]
        return box([style, self._note(""), *inside], "fk-form")

    def _application(self, group: Group) -> Any:
        name, (switch,) = self._text(group.title), _switches(group)
        settings = [part for part in group.parts if part is not switch]
        use = self._field(switch, self._text("Use {name}", name=name))
        if not settings:
            return self._section(group, [use], "fk-application")
        fold = ButtonFold(
            lambda: self._first_and_rest(settings, name),
            settings,
            opens=self._text("Show the settings of {name}", name=name),
            shuts=self._text("Hide the settings of {name}", name=name),
        )
        self._opened_by[switch.path] = fold
        return self._section(group, [use, *self._folded(fold)], "fk-application")

    def _first_and_rest(self, settings: Sequence[Part], name: str) -> list[Any]:
        first = [part for key in FIRST for part in settings if part.key == key]
        return [*self._settings(first), *self._more([part for part in settings if part not in first], name)]

    def _more(self, parts: Sequence[Part], name: str) -> list[Any]:
        """What few need, folded away."""
        fold = ButtonFold(
            lambda: self._settings(parts),
            parts,
            opens=self._text("More settings ({name})", name=name),
            shuts=self._text("Fewer settings ({name})", name=name),
        )
        return self._folded(fold) if parts else []

    def _folded(self, fold: ButtonFold) -> list[Any]:
        self._folds.append(fold)
        fold.button.on_click(lambda _: self._turn(fold))
        return [fold.button, fold.box]

    def _settings(self, parts: Iterable[Part]) -> list[Any]:
        """Fields, side by side where there is room; then groups."""
        parts = list(parts)
        fields = [self._field(part, self._text(part.title)) for part in parts if isinstance(part, Field)]
        groups = [self._group(part) for part in parts if isinstance(part, Group)]
        return [*([box(fields, "fk-fields")] if fields else []), *groups]

    def _group(self, group: Group) -> Any:
        if not group.is_optional:
            return self._section(group, self._settings(group.parts), "fk-group")
        fold = Fold(lambda: self._settings(group.parts), group.parts)
        self._folds.append(fold)
        self._opened_by[group.path] = fold
        fold.turn(is_open=bool(self._entries[group.path]))
        switch = widgets.Checkbox(description=self._text("Use this"), indent=False)
        self._listen(group.path, switch)
        return self._section(group, [box([switch], f"fk-field-{slug(group.path)}"), fold.box], "fk-group")

    def _section(self, group: Group, children: list[Any], name: str) -> Any:
        return box([self._note(group.path), *children], name, f"{name}-{slug(group.path)}")

    def _field(self, field: Field, title: str) -> Any:
        made = control(field, title, self._text)
        self._listen(field.path, made)
        inside = [made, *([self._forgetter(field.path)] if isinstance(field, Secret) else []), self._note(field.path)]
        return box(inside, "fk-field", f"fk-field-{slug(field.path)}", f"fk-{type(field).__name__.lower()}")

    def _forgetter(self, path: str) -> Any:
        made = widgets.Checkbox(description=self._text("Forget the one that is set"), indent=False)
        made.disabled = not self._may_change(path)
        made.add_class(f"fk-forget-{slug(path)}")
        made.observe(lambda change: self._entered(path, FORGET if change["new"] else ""), "value")
        self._forgetters[path] = made
        return made

    def _note(self, path: str) -> Any:
        self._notes[path] = widgets.HTML()
        return self._notes[path]

    def _listen(self, path: str, made: Any) -> None:
        made.disabled = not self._may_change(path)
        self._controls[path] = made
        self._show(path)
        made.observe(lambda change: self._entered(path, change["new"]), "value")

    # What happens

    def _show(self, path: str) -> None:
        """Puts what was entered at a path into its control; but no secret, which is taken away from there."""
        is_secret = isinstance(self._parts[path], Secret)
        self._is_showing = True
        try:
            show(self._controls[path], "" if is_secret else self._entries[path], self._text)
            if path in self._forgetters:
                self._forgetters[path].value = self._entries[path] is FORGET
        finally:
            self._is_showing = False

    def _entered(self, path: str, entry: Entry) -> None:
        if self._is_showing:
            return
        if not self._may_change(path):
            self._show(path)
            return
        self._entries[path] = entry
        self._show(path)
        if path in self._opened_by:
            self._opened_by[path].turn(is_open=bool(self._entries[path]))
        self._tell()
        self._on_change()

    def _turn(self, fold: Fold) -> None:
        fold.turn(is_open=not fold.is_open)
        self._tell()

    def _tell(self) -> None:
        """Says what is wrong under each field that is to be seen; of others, at the heading that is."""
        self.mistakes = tuple(self._check(self.document))
        hidden = {path for fold in self._folds if not fold.is_open for path in fold.holds}
        told = by_place(self.mistakes, self._notes.keys() - hidden)
        for path, note in self._notes.items():
            words = [self._said(path, mistake) for mistake in told.get(path, ())]
            note.value = self._about(path) + mistakes_html(path, words)

    def _said(self, place: str, mistake: Mistake) -> str:
        return said(self._parts[place], mistake, self._parts, self._text)

    def _about(self, path: str) -> str:
        """What is said of a field or a group at any time."""
        part, is_fixed = self._parts[path], path in self._controls and not self._may_change(path)
        if not path:
            return summary_html(len(self.mistakes), self._text)
        return note_html(part, self._text, is_fixed=is_fixed, state=self._state(part))

    def _state(self, part: Part) -> str:
        """What there is to know of a secret without seeing it."""
        if not isinstance(part, Secret):
            return ""
        is_set, entry = isinstance(value_at(self._before, part.path), str), self._entries[part.path]
        self._forgetters[part.path].layout.display = None if is_set or entry else "none"
        return secret_words(is_set, entry, self._text)


def _switches(group: Group) -> list[Field]:
    """The switch that makes a group an application; none, if it is none."""
    return [part for part in group.parts if part.key == ENABLE and isinstance(part, Switch)]
