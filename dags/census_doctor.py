"""
# Census doctor
Looks at everything that `chat_census` needs, from where its tasks run: with their connection and their Variables.

| | |
|---|---|
| **When** | By hand: after a deployment, and when something is red. Takes ten seconds. |
| **What it does** | Reads settings. It writes nothing, pays for nothing, and reads no conversation. |
| **Where the answer is** | The log of `doctor`: a line a check, its remedy below it; and the XCom `findings`. |
| **When it is red** | A run would fail: do what the log says at each FAIL. A WARN does not make it red. |

Every check is explained in docs/doctor.md.
"""

import pendulum
from airflow.sdk import dag

from chatcensus import operators
from chatcensus.include import include_dir

NAMES = ("table", "control_table", "snapshot_bucket", "result_bucket", "database", "workgroup", "model")


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tokyo"),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "chatcensus", "retries": 0},
    tags=["chatcensus"],
    doc_md=__doc__,
)
def census_doctor():
    operators.DoctorOperator(
        task_id="doctor", include=include_dir(__file__),
        names={name: f"{{{{ var.value.get('chatcensus_{name}', '') }}}}" for name in NAMES},
    )


census_doctor()
