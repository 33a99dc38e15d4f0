"""What a person may choose for one run: the form that the Airflow UI shows, with types and bounds."""

from airflow.sdk import Param

from chatcensus.batch import LEAST_HOURS, MOST_HOURS
from chatcensus.pacing import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE
from chatcensus.reevaluation import EXAMPLE

# The form refuses what is plainly wrong; `plan` reads the rest, and says what is wrong with it.
_WHERE = r"^\s*$|^[\s;]*\w+\s*=\s*\S"
_DAY = r"^$|^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

PARAMS = {
    "max_usd": Param(5, type="number", minimum=0, description="Budget in USD; at it, the rest stays pending"),
    "max_conversations": Param(0, type="integer", minimum=0, description="Ask about so many at most; 0: about all"),
    "created_from": Param("", type="string", pattern=_DAY, description="Only conversations from this day on"),
    "created_before": Param("", type="string", pattern=_DAY, description="Only conversations before this day"),
    "reevaluate": Param(
        "",
        type="string",
        pattern=_WHERE,
        description=f"Judge again what has an evaluation of this kind, and nothing else, such as {EXAMPLE}",
    ),
    "dry_run": Param(False, type="boolean", description="Only count what is due and forecast its cost"),
    "publish": Param(True, type="boolean", description="Export and publish; false ends the run after settle"),
    "full_export": Param(False, type="boolean", description="Export the whole table, though changes would do"),
    "conversations_per_segment": Param(
        5000, type="integer", minimum=1, maximum=100_000, description="Conversations for one mapped classify task"
    ),
    "in_flight": Param(64, type="integer", minimum=1, maximum=256, description="Model calls of a task at one time"),
    "requests_per_minute": Param(
        REQUESTS_PER_MINUTE,
        type="number",
        exclusiveMinimum=0,
        description="Requests a minute for all runs together: 80 % of the quota",
    ),
    "tokens_per_minute": Param(
        TOKENS_PER_MINUTE, type="number", exclusiveMinimum=0, description="Tokens a minute, likewise"
    ),
    "mode": Param(
        "realtime", type="string", enum=["realtime", "batch", "auto"], description="Calls now, or batch inference"
    ),
    "deadline_hours": Param(
        LEAST_HOURS,
        type="number",
        minimum=1,
        maximum=MOST_HOURS,
        description="How long the run may wait for batch inference",
    ),
    "max_rejection_percent": Param(5, type="number", minimum=0, maximum=100, description="Fail at more bad answers"),
    "max_drift_points": Param(
        20, type="number", minimum=0, maximum=100, description="Publish nothing when a share moves further, in points"
    ),
    "accept_drift": Param(False, type="boolean", description="Publish though shares have moved that far"),
}

REVIEW_PARAMS = {
    "random": Param(100, type="integer", minimum=0, maximum=1000, description="Draw so many evaluated at random"),
    "changed": Param(
        20, type="integer", minimum=0, maximum=1000, description="Draw so many whose category has changed, too"
    ),
    "quarantined": Param(20, type="integer", minimum=0, maximum=1000, description="Draw so many quarantined, too"),
    "disputed": Param(20, type="integer", minimum=0, maximum=1000, description="Draw so many of a trial's disputes"),
    "trial": Param("", type="string", pattern=r"^[A-Za-z0-9-]{0,120}$", description="The trial; empty: no disputes"),
    "seed": Param("", type="string", maxLength=100, description="Same seed, same draw; empty: another each run"),
}
