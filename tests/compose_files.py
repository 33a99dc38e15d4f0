"""The compose files, read as `docker compose` reads them: interpolated, extended and merged, as far as ours need it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from demo.airflow_home import REPOSITORY

BASE, CELERY = "docker-compose.yaml", "compose.celery.yaml"
# Of two files the later one's list takes the place of the other's; all other lists are joined.
_REPLACED = {"command", "entrypoint", "test"}
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<sign>[-+])(?P<text>[^}]*))?\})")


def compose(*names: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the model that `docker compose -f … -f …` makes of the files, in a shell with *environment*."""
    model: dict[str, Any] = {}
    for name in names:
        model = _merged(model, _with_bases(_file(name, environment or {}), environment or {}))
    return model


def mounts(service: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield what is mounted, where, and whether it is read-only."""
    for mount in service.get("volumes", []):
        if isinstance(mount, dict):
            yield mount["source"], mount["target"], mount["read_only"]
        else:
            source, target, *mode = mount.split(":")
            yield source, target, mode == ["ro"]


def _file(name: str, environment: Mapping[str, str]) -> dict[str, Any]:
    return _interpolated(yaml.safe_load((REPOSITORY / name).read_text()), environment)


def _with_bases(file: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    for name, service in file["services"].items():
        if base := service.pop("extends", None):
            file["services"][name] = _merged(_file(base["file"], environment)["services"][base["service"]], service)
    return file


def _interpolated(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(part, environment) for key, part in value.items()}
    if isinstance(value, list):
        return [_interpolated(part, environment) for part in value]
    return _VARIABLE.sub(lambda found: _value(found, environment), value) if isinstance(value, str) else value


def _value(found: re.Match[str], environment: Mapping[str, str]) -> str:
    if found["name"] is None:
        return "$"
    value = environment.get(found["name"], "")
    if found["sign"] == "+":
        return found["text"] if value else ""
    return value or found["text"] or ""


def _merged(base: Any, over: Any, key: str = "") -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {name: _merged(base[name], part, name) if name in base else part for name, part in over.items()}
    if isinstance(base, list) and isinstance(over, list) and key not in _REPLACED:
        return [*base, *over]
    return over
