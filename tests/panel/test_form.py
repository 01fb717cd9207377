"""The form as an operator uses it, its widgets driven from Python."""

from functools import cache
from typing import Any

import ipywidgets as widgets
import pytest

from fedikit.environment.load import check_configuration, load_catalogue
from fedikit.environment.schema import schema
from fedikit.panel.controls import CHOICES
from fedikit.panel.fields import Choice, parts_of
from fedikit.panel.form import Form
from fedikit.panel.outline import outline
from fedikit.panel.texts import Texts

PERSON = {"displayName": "Testy", "username": "test", "email": "test@example.org"}
SMALL = {"domain": "example.org", "initialUser": PERSON}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{0.__class__} {name}",
    "a\x00\x1b[31mb\u202ec",
    "\ud800",
    "x" * 50_000,
    "[" * 5000,
    '{"a": ' * 5000,
]


@cache
def described() -> dict[str, Any]:
    return schema(load_catalogue(), "configuration")


def form(document: Any = SMALL, **options: Any) -> Form:
    return Form(
        described(),
        document,
        text=Texts(),
        check=lambda entered: check_configuration(entered, load_catalogue())[1],
        **options,
    )


def all_of(widget: Any) -> list[Any]:
    return [widget, *(inner for child in getattr(widget, "children", ()) for inner in all_of(child))]


def by_class(form: Form, name: str) -> list[Any]:
    return [widget for widget in all_of(form.widget) if name in widget._dom_classes]


def control(form: Form, path: str) -> Any:
    """What a field is filled in with; folds above it must be open."""
    (box,) = by_class(form, f"fk-field-{path.replace('.', '-')}")
    return box.children[0]


def note(form: Form, path: str) -> str:
    (box,) = by_class(form, f"fk-field-{path.replace('.', '-')}")
    return str(box.children[-1].value)


def heading(form: Form, path: str) -> str:
    (box,) = [*by_class(form, f"fk-application-{path}"), *by_class(form, f"fk-group-{path}")]
    return str(box.children[0].value)


def click(form: Form, words: str) -> None:
    (button,) = [w for w in all_of(form.widget) if isinstance(w, widgets.Button) and w.description == words]
    button.click()


def unfold(form: Form, name: str) -> None:
    click(form, f"Show the settings of {name}")
    click(form, f"More settings ({name})")


def test_what_is_entered_is_in_the_document() -> None:
    changes: list[str] = []
    made = form(on_change=lambda: changes.append(""))
    control(made, "domain").value = "example.com"
    control(made, "snac.enable").value = True
    control(made, "snac.title").value = "Ours"
    assert made.document == {**SMALL, "domain": "example.com", "snac": {"enable": True, "title": "Ours"}}
    assert len(changes) == 3
    assert made.mistakes == ()


def test_what_is_wrong_stands_under_its_field_until_it_is_right() -> None:
    made = form()
    control(made, "domain").value = "nonsense"
    assert 'class="fk-error fk-error-domain" role="alert"' in note(made, "domain")
    assert "should be a fully qualified domain name" in note(made, "domain")
    assert "1 setting needs your attention" in made.widget.children[1].value
    control(made, "domain").value = "example.org"
    assert "fk-error" not in note(made, "domain")
    assert "attention" not in made.widget.children[1].value


def test_the_widgets_stay_the_same_whatever_is_entered() -> None:
    """Else who types would lose the focus."""
    made = form()
    before = all_of(made.widget)
    control(made, "domain").value = "nonsense"
    control(made, "initialUser.email").value = ""
    assert all_of(made.widget) == before


def test_text_that_is_no_number_stays_and_is_named() -> None:
    made = form()
    unfold(made, "gotosocial")
    control(made, "gotosocial.cacheMegabytes").value = "plenty"
    assert made.document["gotosocial"] == {"cacheMegabytes": "plenty"}
    assert "is &quot;plenty&quot;, should be a whole number" in note(made, "gotosocial.cacheMegabytes")
    control(made, "gotosocial.cacheMegabytes").value = "5"
    assert "is 5, should be at least 10" in note(made, "gotosocial.cacheMegabytes")
    assert control(made, "gotosocial.cacheMegabytes").value == "5"


def test_an_application_is_built_when_it_is_opened() -> None:
    made = form({**SMALL, "mastodon": {"enable": True}})
    assert by_class(made, "fk-field-mastodon-title") == []
    before = len(all_of(made.widget))
    click(made, "Show the settings of mastodon")
    assert len(by_class(made, "fk-field-mastodon-title")) == 1
    assert by_class(made, "fk-field-mastodon-webThreads") == []
    assert before < len(all_of(made.widget)) < before + 20
    click(made, "Hide the settings of mastodon")
    (fold,) = by_class(made, "fk-application-mastodon")[0].children[-1:]
    assert fold.layout.display == "none"


def test_who_uses_an_application_sees_its_settings() -> None:
    made = form()
    control(made, "mastodon.enable").value = True
    assert control(made, "mastodon.subdomain").value == "mastodon"


def test_a_mistake_that_is_folded_away_is_told_at_the_heading_by_its_title() -> None:
    wrong = {**SMALL, "mastodon": {"signIn": {"issuer": "x", "client": "c"}, "titel": 1, "rules": ["a", "b" * 400]}}
    made = form(wrong)
    assert "Sign in › Issuer: is &quot;x&quot;" in heading(made, "mastodon")
    unfold(made, "mastodon")
    assert "Issuer" not in heading(made, "mastodon")
    assert "titel: is not known; did you mean &quot;title&quot;?" in heading(made, "mastodon")
    assert "is &quot;x&quot;, should be an address" in note(made, "mastodon.signIn.issuer")
    assert "line 2: is too long" in note(made, "mastodon.rules")
    click(made, "Hide the settings of mastodon")
    assert "Issuer: is &quot;x&quot;" in heading(made, "mastodon")


def test_what_belongs_nowhere_is_told_at_the_head() -> None:
    made = form({**SMALL, "<b>": 1})
    assert "&lt;b&gt;: is not known" in made.widget.children[1].value
    assert "fk-error-form" in made.widget.children[1].value


def test_a_group_that_need_not_be_opens_with_its_switch() -> None:
    made = form()
    unfold(made, "mastodon")
    assert by_class(made, "fk-field-mastodon-signIn-issuer") == []
    control(made, "mastodon.signIn").value = True
    assert "is missing" in note(made, "mastodon.signIn.issuer")
    control(made, "mastodon.signIn.client").value = "social"
    assert made.document["mastodon"] == {"signIn": {"client": "social"}}
    control(made, "mastodon.signIn").value = False
    assert made.document == SMALL
    assert made.mistakes == ()


def test_a_secret_is_taken_away_from_its_control() -> None:
    before = {**SMALL, "initialUser": {**PERSON, "password": "correct horse"}}
    made = form(before)
    password = control(made, "initialUser.password")
    assert "One is set" in note(made, "initialUser.password")
    assert made.document == before
    password.value = "battery staple"
    assert password.value == ""
    assert made.document["initialUser"]["password"] == "battery staple"
    assert "A new one was entered" in note(made, "initialUser.password")
    shown = [str(value) for widget in all_of(made.widget) for value in widget.get_state().values()]
    assert not [value for value in shown if "horse" in value or "battery" in value]


def test_a_secret_can_be_forgotten_if_there_is_one() -> None:
    made = form({**SMALL, "initialUser": {**PERSON, "password": "correct horse"}})
    (forget,) = by_class(made, "fk-forget-initialUser-password")
    forget.value = True
    assert made.document == SMALL
    forget.value = False
    assert made.document["initialUser"]["password"] == "correct horse"
    assert by_class(form(), "fk-forget-initialUser-password")[0].layout.display == "none"


def test_another_document_can_be_loaded() -> None:
    changes: list[str] = []
    made = form(on_change=lambda: changes.append(""))
    unfold(made, "mastodon")
    control(made, "domain").value = "nonsense"
    loaded = {"domain": "example.net", "initialUser": PERSON, "mastodon": {"signIn": {"issuer": "x", "client": "c"}}}
    made.load(loaded)
    assert control(made, "domain").value == "example.net"
    assert control(made, "mastodon.signIn.client").value == "c"
    assert made.document == loaded
    assert [mistake.path for mistake in made.mistakes] == ["mastodon.signIn.issuer"]
    assert len(changes) == 1


def test_what_the_provider_decides_cannot_be_changed() -> None:
    changes: list[str] = []
    mine = {"snac.enable", "snac.title"}
    made = form(may_change=mine.__contains__, on_change=lambda: changes.append(""))
    control(made, "snac.enable").value = True
    subdomain = control(made, "snac.subdomain")
    assert subdomain.disabled
    assert not control(made, "snac.title").disabled
    assert "Your provider decides this." in note(made, "snac.subdomain")
    subdomain.value = "elsewhere"  # as a browser could that does not care
    assert subdomain.value == "snac"
    by_class(made, "fk-forget-initialUser-password")[0].value = True
    control(made, "initialUser.password").value = "battery staple"
    assert made.document == {**SMALL, "snac": {"enable": True}}
    assert len(changes) == 1


def test_a_choice_that_is_none_is_shown_as_it_is() -> None:
    made = form({**SMALL, "pixelfed": {"registrations": "perhaps"}})
    click(made, "Show the settings of pixelfed")
    assert control(made, "pixelfed.registrations").value == "perhaps"
    assert "is &quot;perhaps&quot;" in note(made, "pixelfed.registrations")
    control(made, "pixelfed.registrations").value = "open"
    assert made.document["pixelfed"] == {"registrations": "open"}


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_choice_of_the_data_model_is_said_in_words(language: str) -> None:
    text = Texts(language)
    words = {name: text(said) for name, said in CHOICES.items()}
    choices = [part for part in parts_of(outline(described())) if isinstance(part, Choice)]
    assert words.keys() == {one for choice in choices for one in choice.options if isinstance(one, str)}
    assert not words.keys() & set(words.values())
    assert words["open"] != text("open"), "a phase is called so, too"


def test_a_switch_that_need_not_be_has_three_positions() -> None:
    made = form()
    unfold(made, "mastodon")
    choice = control(made, "mastodon.authorizedFetch")
    assert [label for label, _ in choice.options] == ["no choice", "yes", "no"]
    choice.value = "false"
    assert made.document["mastodon"] == {"authorizedFetch": False}
    choice.value = ""
    assert made.document == SMALL


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_hostile_text_is_named_and_harms_nothing(text: str) -> None:
    made = form()
    unfold(made, "mastodon")
    control(made, "mastodon.signIn").value = True
    paths = [path for path, made_control in made._controls.items() if hasattr(made_control, "placeholder")]
    for path in paths:
        control(made, path).value = text
    words = "".join(widget.value for widget in all_of(made.widget) if isinstance(widget, widgets.HTML))
    assert "<script" not in words
    assert "<img" not in words
    assert len(words) < 60_000
    assert "fk-error-domain" in words
    assert len(paths) > 20


def test_a_megabyte_is_named_in_few_words() -> None:
    made = form()
    control(made, "initialUser.displayName").value = "<" * 1_000_000
    assert "is too long, should have at most 80 characters" in note(made, "initialUser.displayName")
    assert len(note(made, "initialUser.displayName")) < 1000
    assert len(made.document["initialUser"]["displayName"]) == 1_000_000


def test_every_control_has_a_label_of_its_own() -> None:
    made = form()
    for name in ("mastodon", "pixelfed", "peertube", "gotosocial"):
        unfold(made, name)
    controls = [control(made, path) for path in made._controls]
    assert all(labelled.description for labelled in controls)
    assert {type(labelled) for labelled in controls} == {
        widgets.Text, widgets.Textarea, widgets.Dropdown, widgets.Checkbox, widgets.Password,
    }  # fmt: skip
