"""Find the `include/` folder and read its YAML files into validated models."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from chatcensus.errors import SetupError

ModelT = TypeVar("ModelT", bound=BaseModel)


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

    Errors: SetupError that names the file and each wrong field, never the value that was there.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return model.model_validate(content)
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(
            f"{path}: cannot be read ({type(error).__name__}): check that the file was deployed"
        ) from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, part['loc'])) or 'the file'}: {part['msg']}"
            for part in error.errors(include_input=False, include_url=False)
        )
        raise SetupError(f"{path}: {wrong}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-02-30
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        raise SetupError(f"{path}: not YAML{place}: correct the file and deploy it again") from None
