"""`gold`: conversations that people have labelled, what the judge makes of them, and whether that has become worse."""

import math
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatcensus.commands import options
from chatcensus.commands.terminal import progress, say, say_json
from chatcensus.errors import SetupError

if TYPE_CHECKING:
    from chatcensus.aws.gold_judging import Judging
    from chatcensus.gold_change import Change
    from chatcensus.gold_measure import Measurement
    from chatcensus.taxonomy import Taxonomy

IMPORT_EXAMPLES = """
[bold]Examples[/bold]

  chatcensus gold import labelled.jsonl --labels labels.yaml

  chatcensus gold import labelled.jsonl --taxonomy-out its-taxonomy.yaml
"""
MEASURE_EXAMPLES = """
[bold]Examples[/bold]

  chatcensus gold measure --model stand-in

  chatcensus gold measure --model stand-in --baseline --json
"""
CHECK_EXAMPLES = """
[bold]Example[/bold]

  chatcensus gold check --model stand-in
"""
COUNTS_EXAMPLES = """
[bold]Example[/bold]

  chatcensus gold counts > include/gold.yaml
"""

app = typer.Typer(help="Conversations that people have labelled, and how right the judge is.", no_args_is_help=True)
TaxonomyFile = Annotated[Path | None, typer.Option(help="Another taxonomy than that of include/.")]
Gold = Annotated[Path | None, typer.Option(help="Another folder of gold rows than include/gold.")]
MaxUsd = Annotated[float, typer.Option(min=0, help="All calls together may cost so much.")]
Bucket = Annotated[
    str,
    typer.Option(
        "--snapshot-bucket", envvar="AIRFLOW_VAR_CHATCENSUS_SNAPSHOT_BUCKET", help="The bucket for exports and reviews."
    ),
]
MAX_USD = 0.5


@app.command("import", epilog=IMPORT_EXAMPLES)
def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines with id, language, label and turns.")],
    labels: Annotated[Path | None, typer.Option(help="What each label becomes; else a category of its name.")] = None,
    taxonomy: TaxonomyFile = None,
    taxonomy_out: Annotated[Path | None, typer.Option(help="Write a taxonomy of the labels here, and no rows.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; else include/gold/ and the name of FILE.")
    ] = None,
    include: options.Include = options.INCLUDE,
) -> None:
    """Make gold rows of labelled conversations, or a taxonomy of their labels; shows counts and no text."""
    from datetime import UTC, datetime

    from chatcensus.gold_import import LabelMap, imported, taxonomy_of
    from chatcensus.gold_rows import write_gold_rows
    from chatcensus.include import as_yaml, read_yaml

    lines = _lines(file)
    if taxonomy_out:
        made = taxonomy_of(lines)
        _write_new(taxonomy_out, as_yaml(made))
        say([f"{len(made.categories)} categories are in {taxonomy_out}: write better definitions before it judges"])
        return
    categories = _taxonomy(include, taxonomy)
    given = read_yaml(labels, LabelMap) if labels else LabelMap(labels={key: key for key in categories.keys})
    given.check(categories)
    found = imported(
        lines,
        given.labels,
        categories,
        given.labelled_by or f"whoever labelled {file.name}",
        given.labelled_on or datetime.now(UTC).date(),
    )
    to = out or include / "gold" / f"{file.stem}.jsonl"
    if found.rows:
        _write_new(to, "")
        write_gold_rows(to, found.rows)
    say([*found.lines(), f"They are in {to}" if found.rows else "Nothing was written"])
    if not found.rows:
        raise typer.Exit(1)


@app.command(epilog=MEASURE_EXAMPLES)
def measure(
    model: options.Model,
    max_usd: MaxUsd = MAX_USD,
    baseline: Annotated[bool, typer.Option("--baseline", help="Later measurements may not fall below it.")] = False,
    gold: Gold = None,
    taxonomy: TaxonomyFile = None,
    include: options.Include = options.INCLUDE,
    as_json: options.AsJson = False,
) -> None:
    """Let the model judge the gold rows: paid. Shows how right it is, and keeps that beside the rows."""
    from chatcensus.gold_change import Change
    from chatcensus.gold_figures import Figures
    from chatcensus.gold_measure import check_writable, read_measurements, write_measurements

    judging = _judging(include, gold, taxonomy, model, max_usd)
    kept = read_measurements(judging.folder, judging.rows)
    check_writable(judging.folder)
    new = _measured(judging)
    before = kept.latest(new)
    kept = kept.with_one_more(new, is_baseline=baseline)
    write_measurements(judging.folder, kept)
    new = kept.measurements[-1]
    change = Change.between(before, new, judging.rows) if before else None
    figures = Figures(new, judging.rows, judging.taxonomy)
    if as_json:
        say_json({**_figures(new), **figures.as_dict(), "change": change.as_dict() if change else None})
        return
    say([*figures.lines(), "", *(change.lines() if change else ["It is the first measurement of these rows."])])
    say([_paid(new), *(["It is the baseline of gold check now."] if new.is_baseline else [])])


@app.command(epilog=CHECK_EXAMPLES)
def check(
    model: options.Model,
    tolerance: Annotated[int, typer.Option(min=0, help="So many rows fewer may be right.")] = 0,
    max_usd: MaxUsd = MAX_USD,
    gold: Gold = None,
    taxonomy: TaxonomyFile = None,
    include: options.Include = options.INCLUDE,
    as_json: options.AsJson = False,
) -> None:
    """Let the model judge the gold rows: paid. Ends with 1 when fewer are right than in the baseline; keeps nothing."""
    from chatcensus.gold_change import Change
    from chatcensus.gold_measure import read_measurements

    judging = _judging(include, gold, taxonomy, model, max_usd)
    kept = read_measurements(judging.folder, judging.rows)
    if not kept.has_baseline(judging.gold_version, judging.taxonomy.version):
        raise SetupError(
            f"there is no baseline of gold rows {judging.gold_version} with taxonomy {judging.taxonomy.version}, so "
            "that rows or taxonomy have changed, or nothing was measured yet: chatcensus gold measure --baseline"
        )
    new = _measured(judging)
    baseline = kept.baseline(new)
    if baseline is None:
        raise SetupError(
            "the baseline is of the local stand-in and this measurement is not, or the other way round: they are never "
            f"compared, measure a baseline here. Paid: {new.cost_micro_usd / 1e6:.4f} USD"
        )
    change = Change.between(baseline, new, judging.rows)
    has_fallen = change.fallen > tolerance
    if as_json:
        say_json({**_figures(new), **change.as_dict(), "tolerance": tolerance, "has_fallen": has_fallen})
    else:
        say([*change.lines(), _paid(new), _verdict(change, tolerance)])
    if has_fallen:
        raise typer.Exit(1)


@app.command(epilog=COUNTS_EXAMPLES)
def counts(table: options.Table, snapshot_bucket: Bucket, include: options.Include = options.INCLUDE) -> None:
    """
    Print include/gold.yaml: what reviews of random conversations say, beside what the judge says of the same texts.

    It reads the whole table once, and no text of it.
    """
    from chatcensus.aws.reviewed_gold import reviewed_gold
    from chatcensus.aws.reviews import evaluated_items
    from chatcensus.gold_counts import Counts, random_rows
    from chatcensus.include import read_yaml
    from chatcensus.mapping import TableMapping

    taxonomy = _taxonomy(include, None)
    rows = random_rows(reviewed_gold(options.client("s3"), snapshot_bucket, taxonomy.version), taxonomy)
    items = evaluated_items(options.client("dynamodb"), table, read_yaml(include / "table.yaml", TableMapping))
    found = Counts(rows, ((name, evaluation) for name, evaluation, _ in items))
    say(found.lines(found.gold_set(taxonomy)))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").split("\n")  # an editor may have put a mark at its beginning
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{str(file)!r} cannot be read as UTF-8 text ({type(error).__name__})") from None


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SetupError(f"{str(path)!r} is there already: name another file, or remove it") from None
    except OSError as error:
        raise SetupError(f"{str(path)!r} cannot be written: {error.strerror}") from None


def _taxonomy(include: Path, file: Path | None) -> "Taxonomy":
    from chatcensus.include import read_yaml
    from chatcensus.taxonomy import Taxonomy

    return read_yaml(file or include / "prompts/taxonomy.yaml", Taxonomy)


def _judging(include: Path, gold: Path | None, taxonomy: Path | None, model: str, max_usd: float) -> "Judging":
    from chatcensus.aws.gold_judging import Judging

    if not math.isfinite(max_usd):
        raise SetupError(f"--max-usd is {max_usd}: write the USD that the calls may cost, such as {MAX_USD}")
    return Judging(include, gold or include / "gold", _taxonomy(include, taxonomy), model, int(max_usd * 1_000_000))


def _measured(judging: "Judging") -> "Measurement":
    typer.echo(
        f"{len(judging.rows)} gold rows will cost about {judging.forecast_micro_usd / 1e6:.4f} USD, less where the "
        f"prompt is cached, and at most {judging.max_micro_usd / 1e6:.4f}",
        err=True,
    )
    for line in judging.left_out:
        typer.echo(line, err=True)

    def interrupt(*_: object) -> None:
        judging.stop.set()  # else the calls that wait for a busy model would be waited for
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with progress("rows judged", len(judging.rows)) as tell:
            return judging.measured(tell)
    finally:
        signal.signal(signal.SIGINT, before)


def _figures(measurement: "Measurement") -> dict[str, object]:
    return measurement.model_dump(mode="json", exclude={"answers", "correct"})


def _paid(measurement: "Measurement") -> str:
    return f"{len(measurement.answers)} rows: {measurement.cost_micro_usd / 1e6:.4f} USD, {measurement.seconds:.1f} s"


def _verdict(change: "Change", tolerance: int) -> str:
    if change.fallen <= tolerance:
        return "The accuracy has not fallen" + (f" by more than {tolerance} rows." if tolerance else ".")
    return f"The accuracy has fallen by {change.fallen} rows, {tolerance} are let pass."
