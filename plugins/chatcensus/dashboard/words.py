"""What the report says, in every language at once: a span for each, of which a reader sees one."""

from collections.abc import Mapping

from markupsafe import Markup

from chatcensus.dashboard.figures import number
from chatcensus.dashboard.report_texts import TEXTS

Local = Mapping[str, object]  # one text for each language


def text(key: str, **values: object) -> Markup:
    """Return the words for *key* in every language, one span each; a mapping among *values* differs by language."""
    return spans(each_language(key, **values))


def spans(local: Local) -> Markup:
    """Return the texts of *local*, one span for each language."""
    return Markup().join(Markup('<span lang="{}">{}</span>').format(language, local[language]) for language in TEXTS)


def each_language(key: str, **values: object) -> dict[str, Markup]:
    """Return the words for *key* by language, to be filled in elsewhere."""
    return {language: _words(language, key, values) for language in TEXTS}


def counted(noun: str, count: int) -> dict[str, Markup]:
    """Return *count* with its noun, in the singular or the plural, by language."""
    return each_language(f"{noun}_one" if count == 1 else f"{noun}_many", count=number(count))


def _words(language: str, key: str, values: Mapping[str, object]) -> Markup:
    local = {name: value[language] if isinstance(value, Mapping) else value for name, value in values.items()}
    return Markup(TEXTS[language][key]).format(**local)  # noqa: S704 - our own words; format escapes the values
