"""Airflow operators: build the adapters, call the use case, translate errors. What a DAG file needs is named here."""

from chatcensus.operators.alert import alert_of_edition, alert_of_failure
from chatcensus.operators.classify import ClassifySegmentOperator
from chatcensus.operators.correct import CorrectSharesOperator
from chatcensus.operators.doctor import DoctorOperator
from chatcensus.operators.export import ExportTableOperator
from chatcensus.operators.gate import CheckEditionOperator
from chatcensus.operators.lineage import PUBLISHES
from chatcensus.operators.params import PARAMS
from chatcensus.operators.plan import PlanSegmentsOperator
from chatcensus.operators.publish import PublishSummariesOperator
from chatcensus.operators.register import RegisterSnapshotOperator
from chatcensus.operators.retries import RETRY_POLICY
from chatcensus.operators.settle import SettleRunOperator
from chatcensus.operators.summarise import SummariseTableOperator

__all__ = [
    "PARAMS",
    "PUBLISHES",
    "RETRY_POLICY",
    "CheckEditionOperator",
    "ClassifySegmentOperator",
    "CorrectSharesOperator",
    "DoctorOperator",
    "ExportTableOperator",
    "PlanSegmentsOperator",
    "PublishSummariesOperator",
    "RegisterSnapshotOperator",
    "SettleRunOperator",
    "SummariseTableOperator",
    "alert_of_edition",
    "alert_of_failure",
]
