"""`taxonomy`: the categories in force, and how those of a taxonomy review come into the files that people commit."""

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatcensus.commands import options
from chatcensus.commands.terminal import say, say_json

if TYPE_CHECKING:
    from datetime import date

    from chatcensus.aws.taxonomy_reviews import TaxonomyReview
    from chatcensus.crosswalk import Crosswalk
    from chatcensus.taxonomy import Taxonomy

SHOW_EXAMPLES = """
[bold]Examples[/bold]

  chatcensus taxonomy show

  chatcensus taxonomy show --json
"""
CHECK_EXAMPLES = """
[bold]Example[/bold]

  chatcensus taxonomy check
"""
ADOPT_EXAMPLES = """
[bold]Examples[/bold]

  chatcensus taxonomy adopt 3f9a0c11d2e4

  chatcensus taxonomy adopt 3f9a0c11d2e4 --category travel --category health
"""

app = typer.Typer(help="The categories: show them, check them, adopt those of a review.", no_args_is_help=True)


@app.command(epilog=SHOW_EXAMPLES)
def show(include: options.Include = options.INCLUDE, as_json: options.AsJson = False) -> None:
    """Print the version of the taxonomy in force, its categories, and the versions before it."""
    taxonomy, crosswalk = _in_force(include)
    if as_json:
        keys = [category.key for category in taxonomy.categories]
        say_json({"version": taxonomy.version, "categories": keys, "versions": crosswalk.versions})
        return
    say(
        [
            f"taxonomy {taxonomy.version}",
            *(f"  {category.key:<24} {category.label.en}" for category in taxonomy.categories),
            *(f"{step.since}: {step.before} → {step.after}" for step in crosswalk.steps),
        ]
    )


@app.command(epilog=CHECK_EXAMPLES)
def check(include: options.Include = options.INCLUDE) -> None:
    """Check taxonomy.yaml and crosswalk.yaml: every step connects, and the last one leads to the taxonomy in force."""
    taxonomy, crosswalk = _in_force(include)
    crosswalk.check(taxonomy)
    steps = len(crosswalk.steps)
    say([f"taxonomy {taxonomy.version}: {len(taxonomy.categories)} categories, {steps} steps lead to it"])


@app.command(epilog=ADOPT_EXAMPLES)
def adopt(
    review: Annotated[str, typer.Argument(help="The review, as the task gather of the DAG taxonomy_review names it.")],
    bucket: Annotated[
        str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_RESULT_BUCKET", help="The bucket of summaries and reports.")
    ],
    category: Annotated[
        list[str] | None,
        typer.Option("--category", help="Approve this one here; may be given several times. Else what was approved."),
    ] = None,
    include: options.Include = options.INCLUDE,
) -> None:
    """
    Write the approved categories of a review into taxonomy.yaml and crosswalk.yaml, for you to commit and deploy.

    It shows the difference; comments and old entries stay as they are.
    """
    from datetime import UTC, datetime

    from chatcensus.aws.taxonomy_reviews import PROPOSALS, TaxonomyReview
    from chatcensus.taxonomy_review import Result
    from chatcensus.taxonomy_text import adopted

    taxonomy, crosswalk = _in_force(include)
    crosswalk.check(taxonomy)
    files = TaxonomyReview(options.client("s3"), bucket, review)
    result = Result.model_validate_json(files.read(PROPOSALS))
    keys, since = (category, datetime.now(UTC).date()) if category else _approved(files, taxonomy)
    before = [path.read_text(encoding="utf-8") for path in _paths(include)]
    after = adopted(before[0], before[1], result, keys, since)
    for path, old, new in zip(_paths(include), before, after, strict=True):
        say(difflib.unified_diff(old.splitlines(), new.splitlines(), str(path), str(path), lineterm=""))
        path.write_text(new, encoding="utf-8")
    conversations, micro_usd = result.again()
    conf = json.dumps({"reevaluate": result.condition()})
    say(
        [
            "",
            f"Commit and deploy both files. Then trigger the DAG chat_census with {conf}:",
            f"about {conversations:,} conversations, {micro_usd / 1e6:.2f} USD.",
        ]
    )


def _approved(files: "TaxonomyReview", taxonomy: "Taxonomy") -> "tuple[list[str], date]":
    """Return the keys that were approved in Airflow, and the day."""
    from chatcensus.aws.taxonomy_reviews import CROSSWALK, TAXONOMY
    from chatcensus.crosswalk import Crosswalk
    from chatcensus.include import parse_yaml
    from chatcensus.taxonomy import Taxonomy

    steps = parse_yaml(files.read(CROSSWALK), Crosswalk, CROSSWALK).steps
    adopted = parse_yaml(files.read(TAXONOMY), Taxonomy, TAXONOMY).categories
    return [category.key for category in adopted if category.key not in taxonomy.keys], steps[-1].since


def _paths(include: Path) -> tuple[Path, Path]:
    return include / "prompts/taxonomy.yaml", include / "prompts/crosswalk.yaml"


def _in_force(include: Path) -> "tuple[Taxonomy, Crosswalk]":
    from chatcensus.crosswalk import Crosswalk
    from chatcensus.include import read_yaml
    from chatcensus.taxonomy import Taxonomy

    of_taxonomy, of_crosswalk = _paths(include)
    return read_yaml(of_taxonomy, Taxonomy), read_yaml(of_crosswalk, Crosswalk)
