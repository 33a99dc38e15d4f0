"""Simulate by seed: `python -m tests.sim SEEDS` runs many, `python -m tests.sim --seed N` replays one."""

import argparse
import multiprocessing
import time

from tests.sim.story import Story

_SLICE = 500


def failures(first: int, count: int) -> tuple[list[str], int]:
    """
    What went wrong in *count* seeds from *first* on, each with the command that replays it.

    The other number is by how many micro-USD a run has passed its budget at most: a promise allows each run what its
    calls in flight can cost, and P9 allows nothing.
    """
    failed, overrun = list[str](), 0
    for seed in range(first, first + count):
        story = Story(seed)
        if violations := story.violations():
            failed.append(f"make sim SEED={seed}: {'; '.join(violations)}")
        overrun = max(overrun, story.overrun_micro_usd)
    return failed, overrun


def _slice(first: int) -> tuple[list[str], int]:
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
        found, _ = failures(wanted.seed, 1)
        print("\n".join(found) or f"seed {wanted.seed}: every promise is kept")  # noqa: T201
        raise SystemExit(len(found))
    started, failed, overrun = time.monotonic(), 0, 0
    with multiprocessing.Pool(wanted.jobs) as pool:
        for found, most in pool.imap(_slice, range(wanted.first, wanted.first + wanted.seeds, _SLICE)):
            failed, overrun = failed + len(found), max(overrun, most)
            for line in found:
                print(line, flush=True)  # noqa: T201
    seconds = time.monotonic() - started
    print(f"{wanted.seeds} seeds, {failed} failed, {seconds:.1f} s, {wanted.seeds / seconds:.0f} a second")  # noqa: T201
    print(f"the most that a run has paid beyond its budget: {overrun} micro-USD")  # noqa: T201
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
