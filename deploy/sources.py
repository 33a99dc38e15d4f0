"""
Which files of the repository are deployed.

In a clone it is what git tracks, so that two clones of a commit give one package and nothing that lies about is
uploaded. In a folder without `.git` (an archive of a release) it is every file of a kind that we have.
"""

import os
import subprocess
import sys
from pathlib import Path, PurePosixPath

# The kinds of files under plugins/, dags/ and include/; a test compares them with what git tracks. "" is a licence.
KINDS = {".py", ".sql", ".yaml", ".md", ".js", ".css", ".json", ".jsonl", ".jinja", ".toml", ""}


class SourcesUnclear(RuntimeError):
    """The files cannot be listed, or are not what they seem; the message says why."""


def sources(repository: Path, folder: str) -> list[str]:
    """
    Return the paths to deploy of *folder*, from the root of *repository* and in order.

    Files that git neither tracks nor ignores are left out and named on standard error, and so are those that are
    packed although nobody can look them up in git.
    Raises: SourcesUnclear when there is a `.git` and git does not answer, or for a link.
    """
    paths = _in_archive(repository, folder) if not (repository / ".git").exists() else _in_clone(repository, folder)
    for path in paths:
        place = repository / path
        if not place.resolve().is_relative_to(repository.resolve() / path):
            raise SourcesUnclear(f"{path} is a link, or lies behind one, and MWAA has not what it leads to: put a file")
    return sorted(paths)


def _in_archive(repository: Path, folder: str) -> list[str]:
    found = (path.relative_to(repository) for path in (repository / folder).rglob("*") if not path.is_dir())
    return [path.as_posix() for path in found if is_of_a_known_kind(PurePosixPath(path))]


def _in_clone(repository: Path, folder: str) -> list[str]:
    for path in _git(repository, "--others", "--exclude-standard", folder):
        print(f"left out, because git does not track it: {path} (git add it to deploy it)", file=sys.stderr)
    for path in _git(repository, "--modified", folder):
        here = "packed as it is here" if (repository / path).exists() else "left out, because it is gone here"
        print(f"{here}, and not as git has it: {path}", file=sys.stderr)
    return [path for path in _git(repository, "--cached", folder) if os.path.lexists(repository / path)]


def is_of_a_known_kind(path: PurePosixPath) -> bool:
    """Return whether the file at *path* is one that we have: nothing hidden, no bytecode, no editor's copy."""
    if path.name == ".airflowignore":
        return True
    hidden = any(part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info") for part in path.parts)
    return not hidden and path.suffix in KINDS


def _git(repository: Path, *arguments: str) -> list[str]:
    command = ["git", "-C", str(repository), "ls-files", "-z", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except FileNotFoundError:
        raise SourcesUnclear("git is not installed: install it, or package an archive of a release") from None
    except subprocess.CalledProcessError as error:
        raise SourcesUnclear(f"git cannot list the files: {error.stderr.decode(errors='replace').strip()}") from None
    return done.stdout.decode().split("\0")[:-1]
