"""The software bill of materials of a package (CycloneDX): what MWAA installs for it, and the vendored scripts."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

VENDORED = "plugins/chatcensus/dashboard/static/vendored.toml"


def bill_of_materials(repository: Path) -> dict[str, Any]:
    """Return the bill of *repository*: the pins of constraints.txt and what is vendored; nothing of time or chance."""
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", "--output-reproducible"]
    command += ["--pyproject", str(repository / "pyproject.toml"), str(repository / "constraints.txt")]
    # Build systems set a moment there, and the bill would hold it.
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    bill = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    vendored = tomllib.loads((repository / VENDORED).read_text(encoding="utf-8"))
    bill["components"] += [_component(package) for package in vendored["package"]]
    return bill


def _component(package: dict) -> dict[str, Any]:
    name, version = package["name"], package["version"]
    return {
        "bom-ref": f"vendored-{name}",
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:npm/{name}@{version}",
        "licenses": [{"expression": package["licence"]}],
    }
