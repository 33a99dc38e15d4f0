"""The report that one file of HTML holds, as a test looks at it."""

import base64
import gzip
import json
import re
from typing import Any


def report_inside(html: str) -> dict[str, Any]:
    """Return what the page in *html* will show."""
    [packed] = re.findall('<script type="application/gzip" id="report">([A-Za-z0-9+/=]*)</script>', html)
    report: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return report
