"""
Known vulnerabilities of everything that is pinned: `make audit`, on a machine that reaches https://api.osv.dev.

It fails when it cannot ask: a list that nobody has looked at is no list of zero. What stays for now is in audit.toml.
"""

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = ("constraints.txt", "requirements-dev.lock")


def main() -> int:
    """Ask about every pin; 0 when no vulnerability is known but those accepted."""
    try:
        ids = accepted_ids((ROOT / "deploy/audit.toml").read_text(encoding="utf-8"), datetime.now(UTC).date())
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return audit([ROOT / name for name in PINS], ids)


def accepted_ids(text: str, today: date) -> list[str]:
    """
    Return the ids that *text*, the content of audit.toml, accepts.

    Errors: ValueError that names an entry without id, reason or day, or whose day has passed.
    """
    entries = tomllib.loads(text).get("accepted", [])
    for entry in entries:
        if not str(entry.get("id", "")).strip():
            raise ValueError(f"deploy/audit.toml: an entry needs an id, of what it accepts: {entry}")
        # Not isinstance: a moment of TOML is a date to Python, and cannot be compared with one.
        if not str(entry.get("reason", "")).strip() or type(entry.get("until")) is not date:
            raise ValueError(f"deploy/audit.toml: {entry['id']} needs a reason, why it may stay, and until: a day")
        if entry["until"] < today:
            raise ValueError(
                f"deploy/audit.toml: {entry['id']} was accepted until {entry['until']}: update the package, or say "
                f"anew why it may stay and until when"
            )
    return [entry["id"] for entry in entries]


def audit(pins: Sequence[Path], ids: Sequence[str], osv: str = "https://api.osv.dev/v1/query") -> int:
    """Let pip-audit ask *osv* about every line of *pins*, show what it says, and return its exit code."""
    files = [word for path in pins for word in ("--requirement", str(path))]
    ignored = [word for each in ids for word in ("--ignore-vuln", each)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--strict", "--no-deps", "--disable-pip", "--progress-spinner", "off"),
            *("--vulnerability-service", "osv", "--osv-url", osv, *files, *ignored),
        ],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if "Traceback" in done.stderr:
        last = done.stderr.strip().splitlines()[-1][:200]
        print(f"Nothing was audited, {osv} did not answer: {last}", file=sys.stderr)
    elif done.returncode:
        print(done.stderr, file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
