"""Find the `include/` folder and read its YAML files into validated models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from chatcensus.errors import SetupError

ModelT = TypeVar("ModelT", bound=BaseModel)

# libyaml reads summaries.yaml in 5 ms instead of 110, and each task reads it. A PyYAML may be built without.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def include_dir(start: str | Path) -> Path:
    """
    Return the nearest `include/` folder at or above the folder of *start* (a file, usually the DAG's `__file__`).

    Errors: SetupError when there is none; on MWAA `include/` is uploaded beside the DAG files.
    """
    for folder in Path(start).resolve().parents:
        if (folder / "include").is_dir():
            return folder / "include"
    raise SetupError(f"no include/ folder at or above {Path(start).parent}: upload include/ beside the DAG files")


def read_yaml(path: str | Path, model: type[ModelT]) -> ModelT:
    """
    Return the YAML file at *path* as a *model*.

    Errors: SetupError that names the file and, of each wrong field, the line and the remedy, never the value.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(
            f"{path}: cannot be read ({type(error).__name__}): check that the file was deployed"
        ) from error
    return parse_yaml(text, model, path)


def parse_yaml(text: str, model: type[ModelT], path: str | Path) -> ModelT:
    """Return the YAML *text* as a *model*; errors name *path*. Errors: those of `read_yaml`."""
    try:
        plain = yaml.load(text, Loader=_LOADER)  # noqa: S506 - it is a safe one
        return model.model_validate(plain)
    except ValidationError as error:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        wrong = "; ".join(
            f"{'.'.join(map(str, part['loc'])) or 'the file'}: {part['msg']}"
            f" (line {_line(root, part['loc'])}{_REMEDIES.get(part['type'], ': correct it')})"
            for part in error.errors(include_input=False, include_url=False)
        )
        raise SetupError(f"{path}: {wrong}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-02-30
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        raise SetupError(f"{path}: not YAML{place}: correct the file and deploy it again") from None


# The refusals of our own models say what to do in their message.
_REMEDIES = {
    "missing": ": add it",
    "extra_forbidden": ": correct its name or remove it",
    "refused": "",
    "value_error": "",
}


def as_yaml(document: BaseModel) -> str:
    """Return *document* as the text of a YAML file that `read_yaml` reads; what holds nothing nested is one line."""
    plain = document.model_dump(mode="json")
    return yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, default_flow_style=None, width=120)


def _line(node: yaml.Node | None, place: Sequence[int | str]) -> int:
    """Return the line of *place*, or of the innermost part of it that the file has."""
    line = node.start_mark.line if node else 0
    for step in place:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == step]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            found = [(value, value) for value in node.value[step : step + 1]]
        else:
            break
        for key, value in found:
            line, node = key.start_mark.line, value
    return line + 1
