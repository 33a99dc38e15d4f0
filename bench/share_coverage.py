"""
How often the interval of a corrected share holds the true one: `python -m bench.share_coverage [--tables 400]`.

Each design has several judges. A table of a judge is a finite population of conversations, each with its true category
and the one that it is counted under; a gold set is a sample of it. A table that is refused has no interval to count.
"""

import argparse
import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chatcensus.shares import corrected_shares, refusal

CATEGORIES, ACCURACIES, LABELS, POPULATIONS = (5, 8, 12), (0.7, 0.85, 0.95), (200, 400, 1000), (500, 5_000, 100_000)
JUDGES = 4


@dataclass(frozen=True)
class Design:
    """How many categories, how often the judge is right, how many labels, of how many conversations, by which draw."""

    categories: int
    accuracy: float
    labels: int
    population: int
    draw: Literal["random", "by category"] = "random"


@dataclass(frozen=True)
class Coverage:
    """How many intervals hold the truth: on average, and for the worst category of a judge; widths are in points."""

    tables: int
    refused: int
    mean: float
    worst: float
    width: float


DESIGNS = [
    Design(*values)
    for values in itertools.product(CATEGORIES, ACCURACIES, LABELS, POPULATIONS)
    if values[2] < values[3]
] + [Design(k, accuracy, 400, 5_000, "by category") for k in CATEGORIES for accuracy in ACCURACIES]


def judge(design: Design, random: np.random.Generator) -> np.ndarray:
    """Return the chance of each counted (row) and true category: skewed shares, a quarter of them 1 to 3 %."""
    k = design.categories
    small = max(1, k // 4)
    shares = np.concatenate([random.dirichlet(np.full(k - small, 1.2)), random.uniform(0.01, 0.03, small)])
    shares[:-small] *= 1 - shares[-small:].sum()
    joint = np.zeros((k, k))
    for true in range(k):
        right = float(np.clip(design.accuracy + random.uniform(-0.08, 0.08), 0.5, 0.985))
        wrong = (1 - right) * random.dirichlet(np.full(k - 1, 0.6))
        joint[:, true] = shares[true] * np.insert(wrong, true, right)
    return joint


def labelled(population: np.ndarray, design: Design, random: np.random.Generator) -> np.ndarray:
    """Return the gold set drawn from *population*: of all of it, or as many of each counted category."""
    if design.draw == "random":
        drawn = random.multivariate_hypergeometric(population.ravel(), design.labels, method="marginals")
        return drawn.reshape(population.shape)
    each = design.labels // design.categories
    return np.array(
        [random.multivariate_hypergeometric(row, min(each, row.sum()), method="marginals") for row in population]
    )


def coverage(design: Design, tables: int) -> Coverage:
    """Return what *tables* tables of *design* say, the same each time."""
    random = np.random.default_rng([design.categories, round(100 * design.accuracy), design.labels, design.population])
    names = [f"c{number:02}" for number in range(design.categories)]
    held, widths, refused = defaultdict[tuple[int, str], list[bool]](list), list[float](), 0
    for number in range(JUDGES):
        joint = judge(design, random)
        for _ in range(tables // JUDGES):
            population = random.multinomial(design.population, joint.ravel()).reshape(joint.shape)
            gold = labelled(population, design, random).tolist()
            counted = {name: count for name, count in zip(names, population.sum(axis=1).tolist(), strict=True) if count}
            labels = {name: dict(zip(names, row, strict=True)) for name, row in zip(names, gold, strict=True)}
            if refusal(counted, labels):
                refused += 1
                continue
            shares = corrected_shares(counted, labels)
            for name, truth in zip(names, (population.sum(axis=0) / design.population).tolist(), strict=True):
                if name in shares:
                    held[number, name].append(shares[name].low <= truth <= shares[name].high)
                    widths.append(100 * (shares[name].high - shares[name].low))
    each = [float(np.mean(found)) for found in held.values()]
    return Coverage(tables, refused, float(np.mean(each)), min(each), float(np.mean(widths)))


def main() -> None:
    """Print a row for each design, and what all of them say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=400, help="tables of each design")
    tables = parser.parse_args().tables
    lines = [
        "| categories | accuracy | labels | draw | conversations | coverage | worst category | width | refused |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    found = {design: coverage(design, tables) for design in DESIGNS}
    for design, result in found.items():
        lines.append(
            f"| {design.categories} | {design.accuracy:.0%} | {design.labels:,} | {design.draw} "
            f"| {design.population:,} | {result.mean:.1%} | {result.worst:.1%} | {result.width:.1f} "
            f"| {result.refused} |"
        )
    inside = sum(0.93 <= result.mean <= 0.97 for result in found.values())
    mean = float(np.mean([result.mean for result in found.values()]))
    lines.append(f"\n{tables * len(found):,} tables: {mean:.1%}; {inside} of {len(found)} designs within 93 to 97 %")
    print("\n".join(lines))  # noqa: T201 - its output


if __name__ == "__main__":
    main()
