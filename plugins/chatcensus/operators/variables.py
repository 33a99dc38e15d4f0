"""What the DAG files take from Airflow Variables and Params, as templates: read when a task runs, not by the parser."""

TIMEZONE = "Asia/Tokyo"  # days are cut here, and the schedule runs here

TABLE = "{{ var.value.chatcensus_table }}"
CONTROL_TABLE = "{{ var.value.chatcensus_control_table }}"
MODEL = "{{ var.value.chatcensus_model }}"
SNAPSHOT_BUCKET = "{{ var.value.chatcensus_snapshot_bucket }}"
RESULT_BUCKET = "{{ var.value.chatcensus_result_bucket }}"
ATHENA = {"database": "{{ var.value.chatcensus_database }}", "workgroup": "{{ var.value.chatcensus_workgroup }}"}
BATCH_ROLE = "{{ var.value.get('chatcensus_batch_role', '') }}"
MIN_USERS = "{{ var.value.get('chatcensus_min_users', '5') }}"
PER_USER = "{{ var.value.get('chatcensus_per_user_table', 'false') }}"


def param(name: str) -> str:
    """Return the template of the Param *name*."""
    return f"{{{{ params.{name} }}}}"
