"""The environments of the contenders: one folder each under `.local/bench/`, made from PyPI by uv."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCAL = ROOT / ".local/bench"


def python(name: str) -> Path:
    """Return the interpreter of an environment."""
    return LOCAL / name / "bin/python"


def install(names: Iterable[str]) -> None:
    """Make the environments that are missing, or whose file in `bench/requirements/` has changed."""
    uv = Path(sys.executable).parent / "uv"
    for name in names:
        pinned, made = ROOT / f"bench/requirements/{name}.txt", LOCAL / name / "requirements.txt"
        if made.exists() and made.read_text() == pinned.read_text():
            continue
        sys.stderr.write(f"installing {name} ...\n")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, LOCAL / name], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", python(name), "-r", pinned], check=True)
        made.write_text(pinned.read_text())
