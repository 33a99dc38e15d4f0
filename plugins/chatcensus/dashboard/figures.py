"""How the summary writes numbers, as the page does: as they are in the tables, none of them recomputed."""

NONE = "–"
MINUS = "\N{MINUS SIGN}"


def number(count: int | None) -> str:
    """Return a whole number with its thousands apart; none is a dash."""
    return NONE if count is None else f"{count:,}"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share of 0 to 1 as a percentage, never rounding something down to nothing, or nearly all up to all."""
    if share is None:
        return NONE
    smallest = 10**-digits
    if 0 < share * 100 < smallest:
        return f"<{smallest:.{digits}f}%"
    if 100 - smallest < share * 100 < 100:
        return f">{100 - smallest:.{digits}f}%"
    return f"{share * 100:.{digits}f}%"


def points(change: float | None) -> str:
    """Return the change of a share in percentage points, with its sign."""
    if change is None:
        return NONE
    shown = f"{abs(change) * 100:.1f}"
    return shown if float(shown) == 0 else f"{'+' if change > 0 else MINUS}{shown}"


def usd_rounded(micro_usd: int) -> str:
    """Return micro-USD as USD to the cent, below one dollar to a hundredth of a cent; half a digit goes up."""
    digits = 2 if micro_usd >= 1_000_000 else 4
    units = (micro_usd + 5 * 10 ** (5 - digits)) // 10 ** (6 - digits)
    return f"{units // 10**digits:,}.{units % 10**digits:0{digits}d}"
