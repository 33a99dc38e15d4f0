"""
`make package`: everything that MWAA needs, in `dist/`; the same tree gives the same bytes on every machine.

    plugins.zip  requirements.txt  dags/{*.py, .airflowignore, constraints.txt, include/…}  sbom.cdx.json  manifest.json
"""

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.bill_of_materials import bill_of_materials
from deploy.sources import SourcesUnclear, sources

REPOSITORY = Path(__file__).resolve().parents[1]
DIST = REPOSITORY / "dist"
MANIFEST = "manifest.json"
# `include/` lies beside the DAG files on MWAA; the scheduler need not look for DAGs in it.
AIRFLOWIGNORE = b"include/\n"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can hold


class BadPackage(RuntimeError):
    """What lies there is not a package as it was built; the message says what to do."""


def main() -> int:
    """Build the package and say what is in it."""
    parser = argparse.ArgumentParser(prog="make package", description=__doc__)
    parser.add_argument("--out", type=Path, default=DIST, help="folder for the package, replaced as a whole")
    options = parser.parse_args()
    try:
        manifest = write_package(REPOSITORY, options.out)
    except (BadPackage, SourcesUnclear, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"the bill of materials was not made: {error.stderr.decode(errors='replace').strip()}", file=sys.stderr)
        return 1
    size = sum(file["size"] for file in manifest["files"].values())
    print(f"release {manifest['release']}: {len(manifest['files'])} files, {size:,} bytes in {options.out}")
    return 0


def write_package(repository: Path, out: Path) -> dict[str, Any]:
    """
    Build the package of *repository*, put it in place of *out*, and return its manifest.

    Raises: BadPackage when *out* holds something that no package is; SourcesUnclear when git cannot be asked.
    """
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise BadPackage(f"{out} holds other files, and a package replaces the whole folder: choose another --out")
    contents = package_files(repository)
    manifest = manifest_of(contents, _version(repository))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        built = Path(folder) / "package"
        for name, content in [*contents.items(), (MANIFEST, _json(manifest))]:
            (built / name).parent.mkdir(parents=True, exist_ok=True)
            (built / name).write_bytes(content)
        if out.exists():
            shutil.rmtree(out)
        built.rename(out)
    return manifest


def package_files(repository: Path) -> dict[str, bytes]:
    """Return the content of each file of the package by its path, in order."""
    constraints = (repository / "constraints.txt").read_bytes()
    plugins = {path.removeprefix("plugins/"): content for path, content in _read(repository, "plugins").items()}
    files = {
        "plugins.zip": zipped(plugins),
        "requirements.txt": (repository / "requirements.txt").read_bytes(),
        "dags/.airflowignore": AIRFLOWIGNORE,
        "dags/constraints.txt": constraints,
        "sbom.cdx.json": _json(bill_of_materials(repository)),
        **_read(repository, "dags"),
        **{f"dags/{path}": content for path, content in _read(repository, "include").items()},
    }
    return dict(sorted(files.items()))


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of *files* that depends on nothing but their names and contents."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # as on Unix, whatever this is
            # Stored: another zlib compresses to other bytes, and the whole is one megabyte.
            archive.writestr(entry, content, zipfile.ZIP_STORED)
    return written.getvalue()


def manifest_of(contents: Mapping[str, bytes], version: str) -> dict[str, Any]:
    """Return what identifies a package: its files, and a release id that is made of nothing but them."""
    files = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in contents.items()
    }
    return {"release": f"{version}-{hashlib.sha256(_json(files)).hexdigest()[:12]}", "version": version, "files": files}


def read_package(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """
    Return the manifest and the files of the package in *folder*.

    Raises: BadPackage when a file is missing, was added or was changed since it was built.
    """
    if not (folder / MANIFEST).is_file():
        raise BadPackage(f"there is no package in {folder}: make package")
    manifest = json.loads((folder / MANIFEST).read_bytes())
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    contents = {name: path.read_bytes() for name, path in sorted(found.items()) if name != MANIFEST}
    expected = manifest["files"]
    wrong = sorted(expected.keys() ^ contents.keys())
    actual = manifest_of(contents, manifest["version"])
    wrong += [name for name in sorted(expected.keys() & contents.keys()) if expected[name] != actual["files"][name]]
    if wrong or actual["release"] != manifest["release"]:
        names = ", ".join(wrong[:5]) or MANIFEST
        raise BadPackage(f"{folder} is not as it was built ({names}): make package again, and change nothing in it")
    return manifest, contents


def _read(repository: Path, folder: str) -> dict[str, bytes]:
    return {path: (repository / path).read_bytes() for path in sources(repository, folder)}


def _version(repository: Path) -> str:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


if __name__ == "__main__":
    sys.exit(main())
