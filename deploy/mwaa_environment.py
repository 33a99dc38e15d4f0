"""A fresh Python environment for one lane: the image of MWAA, then our requirements as MWAA installs them."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

LANES = Path(__file__).with_name("lanes")
WANTED = "3.12"  # the Python of every MWAA image since 2.11
OTHERS = ("3.13", "3.11")
ON_MWAA = "/usr/local/airflow/dags/constraints.txt"


class NotInstalled(RuntimeError):
    """The environment could not be made; the message says why."""


def lanes() -> list[str]:
    """Return the versions of Airflow that can be checked."""
    return sorted(path.stem for path in LANES.glob("*.txt"))


def environment_of(lane: str, state: Path, requirements: Path | None, constraints: Path) -> tuple[Path, str]:
    """
    Return the interpreter of the environment of *lane* in *state*, and a word on how it came to be.

    It is made once for the same pins. *requirements* are ours, installed under *constraints*; None where the lane is
    of another version than they name. Raises: NotInstalled, or what installing them would change in the image.
    """
    python, version = find_python()
    pins = LANES / f"{lane}.txt"
    told = "" if version == WANTED else f"; MWAA's Python {WANTED} is not on this machine, this is {version}"
    key = hashlib.sha256(str(python).encode())
    for path in filter(None, (pins, requirements, requirements and constraints)):
        key.update(path.read_bytes())
    folder = state / f"environment-{key.hexdigest()[:12]}"
    installed = folder / "bin/python"
    if (folder / "complete").exists():
        return installed, f"kept from the last check{told}"
    for older in state.glob("environment-*"):
        shutil.rmtree(older)
    _uv("venv", "--quiet", "--python", str(python), str(folder))
    _uv("pip", "install", "--quiet", "--python", str(installed), "--requirement", str(pins))
    note = f"installed, {len(_freeze(installed))} packages"
    if requirements:
        note += install_ours(installed, folder, requirements, constraints)
    (folder / "complete").touch()
    return installed, note + told


def find_python() -> tuple[Path, str]:
    """
    Return an interpreter of MWAA's version and that version; without one, another that Chat Census supports.

    Those of pyenv count too, whether they are switched on or not.

    Raises: NotInstalled when there is none at all.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for wanted in (WANTED, *OTHERS):
        on_path = shutil.which(f"python{wanted}")
        for path in [*([on_path] if on_path else []), *sorted(pyenv.glob(f"{wanted}.*/bin/python"), reverse=True)]:
            asked = [str(path), "-c", "import sys; print(sys.executable)"]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            if done.returncode == 0:  # a shim of pyenv is there for versions that are not
                return Path(done.stdout.strip()), wanted
    raise NotInstalled(f"no Python {WANTED} (nor {' nor '.join(OTHERS)}) on this machine: install python{WANTED}")


def install_ours(python: Path, folder: Path, requirements: Path, constraints: Path) -> str:
    """
    Install *requirements* as MWAA does, save for the path of the constraints, which is there alone; say what came.

    Raises: NotInstalled when they do not fit, or would change what is installed.
    """
    text = requirements.read_text(encoding="utf-8")
    if ON_MWAA not in text:
        raise NotInstalled(f"requirements.txt does not name {ON_MWAA}: MWAA would force the constraints of its image")
    here = folder / "requirements.txt"
    here.write_text(text.replace(ON_MWAA, str(constraints)), encoding="utf-8")
    before = _freeze(python)
    _uv("pip", "install", "--quiet", "--python", str(python), "--requirement", str(here))
    changed = sorted(_freeze(python) ^ before)
    if changed:
        raise NotInstalled(f"our requirements change what the image holds: {', '.join(changed[:6])}")
    return "; ours add nothing to the image"


def _freeze(python: Path) -> set[str]:
    return set(_uv("pip", "freeze", "--quiet", "--python", str(python)).split())


def _uv(*arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("uv")), *arguments]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled(f"uv {arguments[0]} {arguments[1]} failed: {done.stderr.strip()[-800:]}")
    return done.stdout
