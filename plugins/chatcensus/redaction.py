"""
The second line of defence of conversation text: errors that nobody foresaw, and libraries that log at DEBUG.

The first is that no code of ours logs text or puts it into an error. A library does both: botocore logs whole requests
and replies at DEBUG, and many an error quotes what it could not read.
"""

import logging
import traceback
from pathlib import Path

# What carries conversations over the wire.
_CARRIERS = ("aiobotocore", "boto3", "botocore", "s3transfer", "urllib3")
_MOST_FRAMES = 20


def quiet_carriers() -> None:
    """Let the libraries that carry conversations log nothing below INFO, whatever level Airflow is told to log at."""
    for name in (*_CARRIERS, *list(logging.root.manager.loggerDict)):
        logger = logging.getLogger(name)
        if name.split(".")[0] in _CARRIERS and logger.isEnabledFor(logging.DEBUG):
            logger.setLevel(logging.INFO)


def without_message(error: BaseException) -> str:
    """Return the class of *error* and the places that it came through, innermost first: nothing that can be text."""
    frames = reversed(traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:])
    places = [f"{'/'.join(Path(each.filename).parts[-2:])}:{each.lineno} in {each.name}" for each in frames]
    return (
        f"{type(error).__name__}, which nobody foresaw; its message is withheld, since it may quote a conversation. "
        f"Raised at {', called from '.join(places)}"
    )
