"""New categories and steps as text between the lines of their YAML files: every old line and comment stays as it is."""

import json
import re
from collections.abc import Iterable
from datetime import date

from chatcensus.crosswalk import Crosswalk, Step
from chatcensus.errors import SetupError
from chatcensus.include import parse_yaml
from chatcensus.taxonomy import Category, Taxonomy
from chatcensus.taxonomy_review import Result

_EMPTY = re.compile(r"^steps:[ \t]*\[[ \t]*\][ \t]*(#.*)?$", re.MULTILINE)
_STEPS = re.compile(r"^steps:[ \t]*(#.*)?$", re.MULTILINE)


def adopted(of_taxonomy: str, of_crosswalk: str, result: Result, keys: Iterable[str], since: date) -> tuple[str, str]:
    """
    Return the texts of taxonomy.yaml and crosswalk.yaml with the proposals of *result* that *keys* name.

    Errors: SetupError when the taxonomy is not the one that was reviewed, a key was not proposed, or the new files
    would not be what they have to be.
    """
    taxonomy, new = parse_yaml(of_taxonomy, Taxonomy, "taxonomy.yaml"), result.chosen(keys)
    if taxonomy.version != result.taxonomy_version:
        raise SetupError(
            f"the taxonomy here is {taxonomy.version}, the review was of {result.taxonomy_version}: take the files "
            f"that were deployed then, or trigger another review"
        )
    after = taxonomy.with_new(new, result.category)
    texts = (
        with_categories(of_taxonomy, new, result.category),
        with_step(of_crosswalk, result.step(after, new, since)),
    )
    read = parse_yaml(texts[0], Taxonomy, "taxonomy.yaml")
    parse_yaml(texts[1], Crosswalk, "crosswalk.yaml").check(read)
    return texts


def with_categories(text: str, categories: Iterable[Category], before: str) -> str:
    """
    Return the taxonomy file *text* with *categories* in front of the entry whose key is *before*.

    Errors: SetupError when that entry does not begin with its key, on a line of its own, exactly once.
    """
    found = list(re.finditer(rf"^([ \t]*)- key:[ \t]*{re.escape(before)}[ \t]*(#.*)?$", text, re.MULTILINE))
    if len(found) != 1:
        raise SetupError(
            f"taxonomy.yaml has {len(found)} lines '- key: {before}', and needs one: write its entry as the others are"
        )
    entry, indent = found[0], found[0][1]
    new = "".join(f"{indent}- {_lines(category, indent)}\n\n" for category in categories)
    return text[: entry.start()] + new + text[entry.start() :]


def _lines(category: Category, indent: str) -> str:
    lines = [
        f"key: {category.key}",
        f"label: {{en: {_quoted(category.label.en)}, ja: {_quoted(category.label.ja)}}}",
        "definition:",
        f"  en: {_quoted(category.definition.en)}",
        f"  ja: {_quoted(category.definition.ja)}",
    ]
    return f"\n{indent}  ".join(lines)


def with_step(text: str, step: Step) -> str:
    """
    Return the crosswalk file *text* with *step* after its last one.

    Errors: SetupError when the file does not end with its steps.
    """
    if not text.endswith("\n"):
        text += "\n"
    if _EMPTY.search(text):
        text = _EMPTY.sub("steps:", text)
    elif not _STEPS.search(text):
        raise SetupError("crosswalk.yaml has no line 'steps:': write it as `chatcensus taxonomy adopt` has left it")
    changes = step.model_dump(mode="json", include={"split", "renamed", "merged"}, exclude_defaults=True)
    parts = [
        f"from: {_quoted(step.before)}",
        f"to: {_quoted(step.after)}",
        f"since: {step.since.isoformat()}",
        *(f"{name}: {json.dumps(change, ensure_ascii=False)}" for name, change in changes.items()),
    ]
    return text + "  - " + "\n    ".join(parts) + "\n"


def _quoted(text: str) -> str:
    """Return *text* in double quotes; what JSON writes so, YAML reads so."""
    return json.dumps(text, ensure_ascii=False)
