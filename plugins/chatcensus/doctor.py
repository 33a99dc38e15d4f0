"""What the doctor says: findings with their remedies; and what it can tell of files and versions without AWS."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from chatcensus.conversation import estimated_tokens
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.instructions import rendered_instructions
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.pricing import TablePrices
from chatcensus.summaries import Summaries
from chatcensus.taxonomy import Taxonomy

Level = Literal["OK", "WARN", "FAIL"]

# Every check, in the order in which they are told.
CHECKS = (
    *("settings", "credentials", "connection", "identity", "region", "clock", "versions"),
    *("mapping", "taxonomy", "prompt", "models", "prices", "summaries", "model-price"),
    *("table", "table-keys", "table-index", "table-encryption", "table-backups", "control-table"),
    *("model-profile", "model-lifecycle", "model-access", "quota", "invocation-logging"),
    *("workgroup", "workgroup-output", "workgroup-limit", "workgroup-encryption", "database", "database-tables"),
    *("snapshot-bucket", "snapshot-bucket-public", "snapshot-bucket-encryption", "snapshot-bucket-lifecycle"),
    *("result-bucket", "result-bucket-public", "result-bucket-encryption"),
    *("pseudonym-secret", "airflow-connection", "airflow-limits", "airflow-plugin"),
)

PRICE_DAYS = 180  # a price that was read longer ago should be read again
# Package: what MWAA's image has and everything is tested with, the oldest that works, the first that nobody has tried.
VERSIONS = {
    "apache-airflow": ("3.3.1", "3.2.1", "3.4"),
    "apache-airflow-providers-amazon": ("9.34.0", "9.25.0", "10"),
    "boto3": ("1.43.56", "1.42.81", "2"),
    "pydantic": ("2.13.4", "2.12", "3"),
}
_NO_FOLDER = "run it where include/ is, or name that folder with --include"
_READ_ON = re.compile(r"\bread (\d{4}-\d\d-\d\d)\b")


@dataclass(frozen=True)
class Finding:
    """What one check found; *remedy* is the command or the setting that puts it right, empty where all is well."""

    check: str
    level: Level
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """Return that all is well with *check*."""
    return Finding(check, "OK", found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """Return what a run survives, and somebody should look at."""
    return Finding(check, "WARN", found, remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    """Return what a run would fail on, or what lets strangers at conversations."""
    return Finding(check, "FAIL", found, remedy)


@dataclass(frozen=True)
class Names:
    """The deployment as the Airflow Variables `chatcensus_<field>` name it; empty where one is not set."""

    table: str = ""
    control_table: str = ""
    snapshot_bucket: str = ""
    result_bucket: str = ""
    database: str = ""
    workgroup: str = ""
    model: str = ""

    def check(self) -> Finding:
        """Return which names are not set; what they would name is then not looked at."""
        missing = [f"chatcensus_{field.name}" for field in fields(self) if not getattr(self, field.name)]
        if not missing:
            return ok("settings", f"all {len(fields(self))} names are set")
        option = missing[0].removeprefix("chatcensus_").replace("_", "-")
        remedy = f"set the Airflow Variable {missing[0]} (at a shell: AIRFLOW_VAR_{missing[0].upper()} or --{option})"
        return fail("settings", f"not set: {', '.join(missing)}", f"{remedy}; docs/operations.md lists all")


@dataclass(frozen=True)
class Files:
    """What of `include/` could be read: None for a file that could not."""

    mapping: TableMapping | None
    model: Model | None
    instructions: str | None


def read_files(include: Path, model_id: str, today: date) -> tuple[Files, list[Finding]]:
    """Return what `include/` holds, and a finding for each of its files."""
    findings: list[Finding] = []
    mend = "correct include/{}, and deploy it again" if include.is_dir() else _NO_FOLDER

    def read(check: str, name: str, model: type[BaseModel], told: Callable[[Any], str]) -> Any:
        try:
            content = read_yaml(include / name, model)
            findings.append(ok(check, f"{name}: {told(content)}"))
        except SetupError as error:
            findings.append(fail(check, str(error), mend.format(name)))
            return None
        return content

    mapping = read("mapping", "table.yaml", TableMapping, lambda it: f"the key is {', '.join(it.key_names)}")
    taxonomy = read("taxonomy", "prompts/taxonomy.yaml", Taxonomy, lambda it: f"{len(it.categories)} categories")
    catalog = read("models", "prompts/models.yaml", ModelCatalog, lambda it: f"{len(it.models)} models")
    read(
        "prices",
        "prices.yaml",
        TablePrices,
        lambda it: f"reads cost {it.read_micro_usd(10**6, today) / 1e6} USD a million",
    )
    read("summaries", "sql/summaries.yaml", Summaries, lambda it: f"{len(it.summaries)} tables")
    instructions = None
    if taxonomy:
        instructions, finding = _prompt(include, taxonomy)
        findings.append(finding)
    model = None
    if catalog and model_id:
        model, finding = _model(catalog, model_id, today)
        findings.append(finding)
    return Files(mapping, model, instructions), findings


def _prompt(include: Path, taxonomy: Taxonomy) -> tuple[str | None, Finding]:
    try:
        instructions = rendered_instructions(include, taxonomy)
    except SetupError as error:
        return None, fail("prompt", str(error), "correct include/prompts/classify.md, and deploy it again")
    return instructions, ok("prompt", f"prompts/classify.md: about {estimated_tokens(instructions):.0f} tokens")


def _model(catalog: ModelCatalog, model_id: str, today: date) -> tuple[Model | None, Finding]:
    """Return the model and what is to be said of its price: whether there is one, and when somebody last read it."""
    try:
        model = catalog.model(model_id)
        price = model.price(today)
    except SetupError as error:
        return None, fail("model-price", str(error), "set the Airflow Variable chatcensus_model to one of models.yaml")
    told = f"{model_id}: {price.input} USD in, {price.output} out, a million tokens, since {price.since}"
    read_on = _READ_ON.search(price.source)
    days = (today - date.fromisoformat(read_on[1])).days if read_on else 0
    if days > PRICE_DAYS:
        remedy = "compare include/prompts/models.yaml with https://aws.amazon.com/bedrock/pricing/, and date it anew"
        return model, warn("model-price", f"{told}; read {days} days ago, more than {PRICE_DAYS}", remedy)
    return model, ok("model-price", f"{told} ({price.source})")


def check_versions(
    installed: Mapping[str, str] | None = None, python: tuple[int, ...] = sys.version_info[:3]
) -> Finding:
    """Return whether Python and the packages that matter are of supported versions; those not there are left out."""
    held = _installed() if installed is None else installed
    told = [f"Python {'.'.join(map(str, python))}", *(f"{name} {number}" for name, number in held.items())]
    if python < (3, 11):
        return fail("versions", f"{told[0]} is older than 3.11", "use the Python of MWAA's Airflow 3.3.1, 3.12")
    remedies = {name: f"pip install '{name}=={VERSIONS[name][0]}' --constraint constraints.txt" for name in held}
    for name, number in held.items():
        if _numbers(number) < _numbers(VERSIONS[name][1]):
            return fail("versions", f"{name} {number} is older than {VERSIONS[name][1]}", remedies[name])
    for name, number in held.items():
        if _numbers(number) >= _numbers(VERSIONS[name][2]):
            return warn("versions", f"{name} {number}: nobody has tried {VERSIONS[name][2]} or later", remedies[name])
    return ok("versions", ", ".join(told))


def _installed() -> dict[str, str]:
    found = {}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # the command runs without Airflow too
            continue
    return found


def _numbers(number: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", number)[:3]]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return *findings* in the order of CHECKS, each once."""
    return sorted(dict.fromkeys(findings), key=lambda finding: CHECKS.index(finding.check))


def is_ill(findings: Iterable[Finding]) -> bool:
    """Return whether something has to be put right before a run; a warning does not count."""
    return any(finding.level == "FAIL" for finding in findings)


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield one line a finding, its remedy below it, and a last line that counts them."""
    told = list(findings)
    width = max((len(finding.check) for finding in told), default=0)
    for finding in told:
        yield f"{finding.level:<4}  {finding.check:<{width}}  {finding.found}"
        if finding.remedy:
            yield f"{'':<4}  {'':<{width}}  fix: {finding.remedy}"
    counts = {level: sum(finding.level == level for finding in told) for level in ("OK", "WARN", "FAIL")}
    yield ", ".join(f"{count} {level}" for level, count in counts.items())


def as_dicts(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Return *findings* as plain values, for JSON and XCom."""
    return [asdict(finding) for finding in findings]
