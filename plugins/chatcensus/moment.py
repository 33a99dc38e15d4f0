"""Times as chat tools write them: the forms that Python and the SQL of a layer both read, and no others."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

# ISO 8601 from a date alone to nanoseconds, of the years 1900 to 2999, with an offset of less than 14 hours. Python and
# Athena each take more, but not the same, and a time that only one of them reads would make a count wrong.
ISO_TIME = (
    r"^(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-3]):?[0-5][0-9])?)?$"
)
# As DynamoDB, Python and Ion (`12d2`) write a number.
NUMBER = r"^-?[0-9]+([.][0-9]*)?([deE][+-]?[0-9]{1,2})?$"
FIRST_SECOND, END_SECOND = -2_208_988_800, 32_503_680_000  # 1900-01-01 and 3000-01-01

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_iso(value: object) -> datetime | None:
    """Return the ISO 8601 text *value* as a time in UTC (a text without an offset is UTC); None for anything else."""
    if not isinstance(value, str) or not re.fullmatch(ISO_TIME, value):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:  # 30 February
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def read_epoch(value: object, per_second: int) -> datetime | None:
    """Return the number *value*, or the text of one, as a time in UTC; None for anything else."""
    if not isinstance(value, str | Decimal | int) or isinstance(value, bool) or not re.fullmatch(NUMBER, str(value)):
        return None
    seconds = float(Decimal(str(value).replace("d", "e")) / per_second)
    return _EPOCH + timedelta(seconds=seconds) if FIRST_SECOND <= seconds < END_SECOND else None
