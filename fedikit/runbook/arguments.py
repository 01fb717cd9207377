"""From words and files to checked parameters.

Text is read by the type of the field it is for: `no` is false in a switch and a name in a list of hosts.
A name=value goes over the parameter file, and the file over FEDIKIT_ENVIRONMENT and the defaults.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import ValidationError

from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.document import Malformed, parse_json, parse_yaml
from fedikit.model.mistake import mistakes_in
from fedikit.runbook.parameters import RunbookParameters

Parameters = TypeVar("Parameters", bound=RunbookParameters)

ENVIRONMENT = "FEDIKIT_ENVIRONMENT"
"""The variable that names the provider's file where nothing else does."""
_SWITCH = {"true": True, "yes": True, "false": False, "no": False}
_NOTHING = ("", "none", "null")


def assemble(model: type[Parameters], words: Sequence[str] = (), *, file: Path | None = None) -> Parameters:
    """Makes parameters of `name=value` words over a YAML or JSON file over FEDIKIT_ENVIRONMENT over the defaults."""
    values = _named_by_the_variable(model)
    values.update(read_parameter_file(model, file) if file else {})
    values.update(_read_words(model, words))
    return check_parameters(model, values)


def _named_by_the_variable(model: type[RunbookParameters]) -> dict[str, Any]:
    named = os.environ.get(ENVIRONMENT, "")
    return {"environment": named} if named and "environment" in model.files else {}


def check_parameters(model: type[Parameters], values: Mapping[str, Any]) -> Parameters:
    """Checks values of JSON types strictly against the model; names every mistake at once."""
    try:
        return model.model_validate_json(json.dumps(dict(values), default=str), strict=True)
    except ValidationError as error:
        mistakes = mistakes_in(error, values, known_keys=lambda _: list(model.model_fields))
        raise _refusal(model, mistakes) from None


def read_parameter_file(model: type[RunbookParameters], file: Path) -> dict[str, Any]:
    """Reads a parameter file; scalars of YAML are text until the field's type says what they mean."""
    try:
        text = file.read_text("utf-8-sig")
        values = parse_json(text) if file.suffix == ".json" else parse_yaml(text)
    except Malformed as malformed:
        raise ConfigurationError(str(file), malformed.mistakes) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(str(file), [Mistake("file", reason)]) from error
    if values in (None, ""):
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(str(file), [Mistake("file", "must map names of parameters to values")])
    return {name: _read(value, _type_of(model, name)) for name, value in values.items()}


def project() -> Path:
    """Where you are or, in the runbooks' own folder, the project around it (JupyterLab starts kernels there)."""
    return Path.cwd().parent if Path.cwd().name == "runbooks" else Path.cwd()


def find_file(path: str) -> Path:
    """Where a file named by a parameter is: relative to where you are, or to the project."""
    here = Path(path).expanduser()
    around = project() / here
    return around if not here.exists() and around.exists() else here


def check_files(parameters: RunbookParameters) -> None:
    """Makes sure that every file the parameters name exists."""
    paths = {name: getattr(parameters, name) for name in parameters.files}
    mistakes = [Mistake(name, f"no such file: {path}") for name, path in paths.items() if not find_file(path).is_file()]
    if mistakes:
        raise _refusal(type(parameters), mistakes, hint="paths are relative to where you are; see also `fedikit lab`")


def _read_words(model: type[RunbookParameters], words: Sequence[str]) -> dict[str, Any]:
    pairs = [word.partition("=") for word in words]
    malformed = [Mistake(name, "write it as name=value") for name, sign, _ in pairs if not sign]
    if malformed:
        raise _refusal(model, malformed)
    return {name: _read(text, _type_of(model, name)) for name, _, text in pairs}


def _read(value: Any, wanted: Any) -> Any:
    """A value from outside as JSON of the wanted type; what cannot be read is left for the check to name."""
    if isinstance(value, list):
        (inner, *_) = (*get_args(wanted), Any)
        return [_read(element, inner) for element in value]
    if not isinstance(value, str):
        return value
    choices = get_args(wanted)
    if type(None) in choices:
        return None if value.lower() in _NOTHING else _read(value, choices[0])
    if get_origin(wanted) in (tuple, list):
        return _read(list(_elements(value)), wanted)
    if wanted is bool:
        return _SWITCH.get(value.lower(), value)
    if wanted is int and re.fullmatch(r"[+-]?[0-9]+", value):
        return int(value)
    return value


def _elements(text: str) -> Iterator[Any]:
    """The elements of a list in one word: JSON, or separated by commas."""
    if text.startswith("["):
        try:
            yield from json.loads(text)
            return
        except json.JSONDecodeError:
            pass
    yield from (part.strip() for part in text.split(",") if part.strip())


def _type_of(model: type[RunbookParameters], name: str) -> Any:
    return model.model_fields[name].annotation if name in model.model_fields else Any


def _refusal(model: type[RunbookParameters], mistakes: Sequence[Mistake], *, hint: str = "") -> ConfigurationError:
    return ConfigurationError(f"parameters of {model.runbook}", sorted(mistakes), hint=hint)
