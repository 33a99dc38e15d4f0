"""Text of others on a terminal: what could move the cursor, colour a line or turn its direction is shown escaped."""


def printable(text: str, keep: str = "") -> str:
    """
    Return *text* with each character that is not printable as its escape; those of *keep* stay as they are.

    Control and format characters, marks of direction among them, are not printable; neither is a lone surrogate.
    """
    return "".join(letter if letter.isprintable() or letter in keep else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode()
