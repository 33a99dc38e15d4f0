"""
Makes one release live, file by file, in an order in which no DAG file is ever newer than what it needs.

What a restart of the environment reads (constraints, requirements, plugins) comes first, `include/` next, DAG files
last; then what the release no longer has is deleted, DAG files first. Interrupted anywhere, it can be run again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from deploy.releases import Live, NotDeployable, Releases

REQUIREMENTS, PLUGINS = "requirements.txt", "plugins.zip"
# Read only when a container starts, so that the old ones go on with what they have.
AT_START = ("dags/constraints.txt", REQUIREMENTS, PLUGINS)


@dataclass(frozen=True)
class Change:
    """What happened to one live file: `new`, `changed`, `same` or `deleted`."""

    path: str
    what: str
    size: int


def switch(
    releases: Releases,
    manifest: dict[str, Any],
    say: Callable[[Change], None],
    *,
    is_rollback: bool = False,
) -> bool:
    """
    Make the live files those of the release of *manifest*; return whether the environment must restart for it.

    Raises: NotDeployable before anything is written, when a file of somebody else is in the way.
    """
    release, files = manifest["release"], live_files(manifest)
    before = releases.live()
    _spare_others(releases, before, files)
    running = ((releases.stored(before.history[-1]) if before.history else None) or {"files": {}})["files"]
    releases.write_live(before.begun(release, files, is_rollback=is_rollback))

    def write(paths: Iterable[str]) -> list[Change]:
        written = []
        for path in paths:
            found, wanted = releases.digest(path), manifest["files"][path]
            what = "new" if found is None else "same" if found == wanted["sha256"] else "changed"
            if what != "same":
                releases.copy(release, path)
            written.append(Change(path, what, wanted["size"]))
            say(written[-1])
        return written

    at_start = write(path for path in AT_START if path in files)
    # Compared with what runs, too: the files may have been written before an interruption that nobody restarted after.
    must_restart = any(
        change.what != "same" or running.get(change.path) != manifest["files"][change.path] for change in at_start
    )
    dags = sorted(path for path in files if path.endswith(".py"))
    write([*sorted(files - {*AT_START, *dags}), *dags])
    for path in sorted(set(before.files) - files, key=lambda path: (not path.endswith(".py"), path)):
        if releases.digest(path):  # what somebody else put there meanwhile stays
            releases.delete(path)
            say(Change(path, "deleted", 0))
    releases.write_live(before.ended(release, files, is_rollback=is_rollback))
    return must_restart


def _spare_others(releases: Releases, before: Live, files: set[str]) -> None:
    """Refuse to write over what no deployment wrote: an environment has one plugins.zip, and others may need theirs."""
    theirs = sorted(path for path in files - set(before.files) if releases.digest(path) == "")
    if theirs:
        more = f" and {len(theirs) - 1} more" if theirs[1:] else ""
        raise NotDeployable(
            f"{releases.address(theirs[0])}{more} is there already, and no deployment of ours wrote it: move it away "
            f"if nobody needs it (the bucket keeps its version), or use another PREFIX or environment"
        )


def live_files(manifest: dict[str, Any]) -> set[str]:
    """Return the paths of a release that MWAA reads; the others are for people."""
    return {path for path in manifest["files"] if path.startswith("dags/") or path in AT_START}
