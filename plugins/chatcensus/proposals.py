"""
Categories that a model proposes: each is taken as it is, or dropped with the reason; nothing is repaired.

What a model writes freely may carry what it has read. A person reads a proposal in Airflow's UI, and it may come to
stand in git: it is dropped whole when anything in it could be of one conversation alone.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from pydantic import ValidationError

from chatcensus.answer import Reason, read_object
from chatcensus.taxonomy import Category, Taxonomy

MAX_LABEL, MAX_DEFINITION = 30, 160  # characters
# A run of so many words, or of so many characters where words are not parted by blanks, is a quotation.
QUOTED_WORDS, QUOTED_CHARACTERS = 4, 12


class Fault(StrEnum):
    """Why a proposal is dropped."""

    WRONG_FIELDS = "wrong_fields"
    WRONG_KEY = "wrong_key"
    KNOWN_KEY = "known_key"
    REPEATED_KEY = "repeated_key"
    WRONG_LENGTH = "wrong_length"
    MARKUP = "markup"
    DIGITS = "digits"
    ADDRESS = "address"
    LETTERS = "letters"
    CODE = "code"
    QUOTATION = "quotation"


_FIELDS, _LANGUAGES = {"key", "label", "definition"}, {"en", "ja"}
_MARKUP = re.compile(r"[<>{}\[\]`|\\]")
_DIGIT = r"[\d〇零一二三四五六七八九]"
_DIGITS = re.compile(rf"{_DIGIT}(?:[\W_]{{0,2}}{_DIGIT}){{3}}")
# ASCII, kana, Chinese characters, and their punctuation: no letters that only look like others, and none that hide.
_LETTERS = re.compile(r"[ -~\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u2010-\u2026\u00b7]*")
_CODE = re.compile(r"[a-z0-9]{25}")  # longer than a word: base64 and the like
_ADDRESS = re.compile(r"@|://|www\.|[\w-]\.[\w-]{2}")
_WORD = re.compile(r"[^\W_]+")


def read_proposals(
    answer: object, stop_reason: str | None, most: int, taxonomy: Taxonomy
) -> tuple[list[Category], Counter[Fault]] | Reason:
    """
    Return the well-formed proposals of *answer* with the faults of the others, or why the answer cannot be read.

    Shape: the answer is `{"proposals": [{"key", "label": {"en", "ja"}, "definition": {"en", "ja"}}, …]}`, of at most
    *most*. Nothing here has been compared with the conversations: `screened` does that. Errors: none, for any input.
    """
    plain = read_object(answer, stop_reason)
    if isinstance(plain, Reason):
        return plain
    if "proposals" not in plain:
        return Reason.MISSING_FIELD
    each = plain["proposals"]
    if len(plain) > 1 or (isinstance(each, list) and len(each) > most):
        return Reason.EXTRA_FIELD
    if not isinstance(each, list):
        return Reason.WRONG_TYPE
    proposals, faults = dict[str, Category](), Counter[Fault]()
    for proposed in each:
        category = _category(proposed)
        if isinstance(category, Fault):
            faults[category] += 1
        elif category.key in taxonomy.keys:
            faults[Fault.KNOWN_KEY] += 1
        elif category.key in proposals:
            faults[Fault.REPEATED_KEY] += 1
        else:
            proposals[category.key] = category
    return list(proposals.values()), faults


def _category(proposed: object) -> Category | Fault:
    if not isinstance(proposed, dict) or proposed.keys() != _FIELDS or not isinstance(proposed["key"], str):
        return Fault.WRONG_FIELDS
    for name, most in (("label", MAX_LABEL), ("definition", MAX_DEFINITION)):
        text = proposed[name]
        if not isinstance(text, dict) or text.keys() != _LANGUAGES:
            return Fault.WRONG_FIELDS
        for words in text.values():
            if fault := _fault(words, most):
                return fault
    try:
        return Category.model_validate(proposed)
    except ValidationError:
        return Fault.WRONG_KEY


def _fault(words: object, most: int) -> Fault | None:
    if not isinstance(words, str):
        return Fault.WRONG_FIELDS
    if not 0 < len(words) <= most or words != words.strip():
        return Fault.WRONG_LENGTH
    if _MARKUP.search(words) or not words.replace("\u3000", " ").isprintable():
        return Fault.MARKUP
    return None


def screened(
    proposals: Sequence[Category], texts: Iterable[str], taxonomy: Taxonomy
) -> tuple[list[Category], Counter[Fault]]:
    """
    Return the proposals that say nothing of one conversation alone, and why the others are dropped.

    A proposal falls by a number of four digits or more, an e-mail or web address, a letter that is neither English nor
    Japanese, a code, or a run of words that stands in one of *texts* and not in the taxonomy in force. Case, width,
    punctuation and blanks make no difference.
    """
    known = {run for words in _words_of(taxonomy.categories) for run in _runs(words)}
    runs = {category.key: {run for words in _words_of([category]) for run in _runs(words)} for category in proposals}
    suspect = set().union(*runs.values()) - known
    quoted = {run for text in texts for run in _runs(_folded(text)) if run in suspect}
    passed, faults = list[Category](), Counter[Fault]()
    for category in proposals:
        if fault := _private(category, runs[category.key] & quoted):
            faults[fault] += 1
        else:
            passed.append(category)
    return passed, faults


def _private(category: Category, quoted: set[str]) -> Fault | None:
    for words in _words_of([category]):
        if _DIGITS.search(words):
            return Fault.DIGITS
        if _ADDRESS.search(words):
            return Fault.ADDRESS
        if not _LETTERS.fullmatch(words):
            return Fault.LETTERS
        if _CODE.search(words):
            return Fault.CODE
    return Fault.QUOTATION if quoted else None


def _words_of(categories: Iterable[Category]) -> Iterator[str]:
    for category in categories:
        yield _folded(category.key)
        for text in (category.label, category.definition):
            yield from (_folded(text.en), _folded(text.ja))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _runs(text: str) -> Iterator[str]:
    """Yield each run of words in *text*, and of characters in scripts that part no words: most of them not ASCII."""
    words = _WORD.findall(text)
    for first in range(len(words) - QUOTED_WORDS + 1):
        yield " ".join(words[first : first + QUOTED_WORDS])
    letters = "".join(words)
    if letters.isascii():
        return
    for first in range(len(letters) - QUOTED_CHARACTERS + 1):
        run = letters[first : first + QUOTED_CHARACTERS]
        if len(run.encode("utf-8", "surrogatepass")) >= QUOTED_CHARACTERS * 2:
            yield run
