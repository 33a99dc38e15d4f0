"""Simulate by seed: `python -m tests.sim SEEDS` runs many, `python -m tests.sim --seed N` replays one."""

import argparse
import multiprocessing
import time

from tests.sim.story import Story

_SLICE = 500


def failures(first: int, count: int) -> list[str]:
    """What went wrong in *count* seeds from *first* on, each with the command that replays it."""
    return [
        f"make sim SEED={seed}: {'; '.join(violations)}"
        for seed in range(first, first + count)
        if (violations := Story(seed).violations())
    ]


def _slice(first: int) -> list[str]:
    return failures(first, _SLICE)


def main() -> None:
    """Run and say how it went."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seeds", nargs="?", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    wanted = parser.parse_args()
    if wanted.seed is not None:
        found = failures(wanted.seed, 1)
        print("\n".join(found) or f"seed {wanted.seed}: every promise is kept")  # noqa: T201
        raise SystemExit(len(found))
    started, failed = time.monotonic(), 0
    with multiprocessing.Pool(wanted.jobs) as pool:
        for found in pool.imap(_slice, range(wanted.first, wanted.first + wanted.seeds, _SLICE)):
            failed += len(found)
            for line in found:
                print(line, flush=True)  # noqa: T201
    seconds = time.monotonic() - started
    print(f"{wanted.seeds} seeds, {failed} failed, {seconds:.1f} s, {wanted.seeds / seconds:.0f} a second")  # noqa: T201
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
