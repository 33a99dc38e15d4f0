"""
Run the contenders one after the other, each against a fresh stand-in, and print one table.

    python -m bench.run --install                              everybody, 3,000 conversations, time 4 times as fast
    python -m bench.run --case tokens --only "chat census"     one case, one contender
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from bench import table
from bench.cases import CASES, Case
from bench.contenders import BARE, CONTENDERS, ENGINE
from bench.environments import install
from bench.measuring import measure


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().split("\n")[0])
    parser.add_argument("--case", choices=CASES, default="requests")
    parser.add_argument("--records", type=int, help="how many conversations (3,000 unless the case has a count)")
    parser.add_argument("--scale", type=float, default=4, help="how fast time runs; heavy clients have a lower limit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", help="names of contenders", metavar="NAME")
    parser.add_argument("--install", action="store_true", help="make missing environments, from PyPI")
    arguments = parser.parse_args()
    case = CASES[arguments.case]
    known = (ENGINE, BARE) if arguments.case == "cost" else (ENGINE,) if case.engine_only else CONTENDERS
    chosen = [contender for contender in known if not arguments.only or contender.name in arguments.only]
    if not chosen:
        raise SystemExit(f"no contender of that name; there are: {', '.join(one.name for one in known)}")
    if arguments.install:
        install(sorted({contender.environment for contender in chosen}))
    count = arguments.records or case.records
    rounds = [
        [measure(contender, case, count, arguments.scale, arguments.seed) for contender in chosen]
        for _ in range(case.repeats)
    ]
    rows = [min(of_one, key=lambda row: row.cpu_s) for of_one in zip(*rounds, strict=True)]
    sys.stdout.write(report(case, count, rows, sys.argv[1:]) + "\n")


def report(case: Case, count: int, rows: Sequence[table.Row], arguments: Sequence[str]) -> str:
    """Return the table with its circumstances: date, machine, command."""
    command = shlex.join(["python", "-m", "bench.run", *arguments])
    limit = f", limit of the quota {rows[0].limit_s:.0f} s" if rows[0].limit_s else ""
    text = [
        f"## {case.title[0].upper()}{case.title[1:]}",
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, `{command}`: {count:,} conversations{limit}.",
        table.markdown(rows),
    ]
    by_name = {row.name: row for row in rows}
    if BARE.name in by_name and ENGINE.name in by_name:
        ratio = by_name[ENGINE.name].cpu_s_per_1000 / by_name[BARE.name].cpu_s_per_1000
        text.append(f"The engine uses {ratio:.2f} times the CPU of the bare pool.")
    return "\n\n".join(text)


if __name__ == "__main__":
    main()
