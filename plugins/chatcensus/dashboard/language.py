"""Which language a page opens in: what is asked for, else what the browser prefers, else the first that we have."""

from collections.abc import Iterator

from chatcensus.dashboard.page import LANGUAGES


def chosen_language(asked: str, accept_language: str) -> str:
    """
    Return one of LANGUAGES.

    Shape: *asked* as in `?lang=ja`; *accept_language* is the header: `ja-JP,ja;q=0.9,en;q=0.8`.
    """
    for wanted in (asked, *_preferred(accept_language)):
        language = wanted.strip().lower().partition("-")[0]
        if language in LANGUAGES:
            return language
    return LANGUAGES[0]


def _preferred(accept_language: str) -> Iterator[str]:
    """The header's languages, the best first; what it refuses (`q=0`) or does not weigh in numbers is left out."""
    weighed: list[tuple[float, int, str]] = []
    for part in accept_language.split(","):
        language, _, weight = part.partition(";")
        weight = weight.strip().removeprefix("q=") or "1"
        if weight.replace(".", "", 1).isascii() and weight.replace(".", "", 1).isdigit() and float(weight) > 0:
            weighed.append((-float(weight), len(weighed), language))
    return (language for _, _, language in sorted(weighed))
