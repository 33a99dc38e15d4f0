"""How one local AWS behaves."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REGION = "ap-northeast-1"


@dataclass(frozen=True)
class Settings:
    """
    Say how one local AWS behaves.

    Units: *latency_s* median seconds of a Converse call; *export_delay_s* seconds an export stays IN_PROGRESS.
    *batch_step_s* seconds a batch job stays in each state before it begins. *faults* is the plan of `faults.py` that
    Converse begins with.
    """

    host: str = "127.0.0.1"
    port: int = 0
    data: Path | None = None
    latency_s: float = 0.0
    seed: int = 1
    export_delay_s: float = 0.3
    batch_step_s: float = 0.3
    region: str = REGION
    faults: dict[str, Any] = field(default_factory=dict)
