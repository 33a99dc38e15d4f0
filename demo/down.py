"""`make down`: ends exactly what `make up` started."""

import argparse
from pathlib import Path

from demo.processes import Register
from demo.up import STATE, end_in_order


def down(state: Path = STATE) -> list[str]:
    """End what was started from *state*; return the names of what was running."""
    return end_in_order(Register(state / "running.json"))


def main() -> None:
    """End it and say what ended."""
    parser = argparse.ArgumentParser(prog="make down", description=__doc__)
    parser.add_argument("--state", type=Path, default=STATE, help="the folder that `make up` was given")
    ended = down(parser.parse_args().state.resolve())
    print(f"Ended: {', '.join(ended)}." if ended else "Nothing was running.")


if __name__ == "__main__":
    main()
