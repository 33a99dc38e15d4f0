"""Airflow operators: build the adapters, call the use case, translate errors. What a DAG file needs is named here."""

from chatcensus.operators.alert import alert_of_edition, alert_of_failure
from chatcensus.operators.approve import ApproveCategoriesOperator
from chatcensus.operators.ask_reviewer import AskReviewerOperator
from chatcensus.operators.classify import ClassifySegmentOperator
from chatcensus.operators.correct import CorrectSharesOperator
from chatcensus.operators.doctor import DoctorOperator
from chatcensus.operators.export import ExportTableOperator
from chatcensus.operators.gate import CheckEditionOperator
from chatcensus.operators.lineage import PUBLISHES
from chatcensus.operators.params import PARAMS, REVIEW_PARAMS
from chatcensus.operators.plan import PlanSegmentsOperator
from chatcensus.operators.publish import PublishSummariesOperator
from chatcensus.operators.register import RegisterSnapshotOperator
from chatcensus.operators.retries import RETRY_POLICY
from chatcensus.operators.review import CollectReviewOperator, DrawReviewOperator, HandOutReviewOperator
from chatcensus.operators.settle import SettleRunOperator
from chatcensus.operators.submit import SubmitBatchOperator
from chatcensus.operators.summarise import SummariseTableOperator
from chatcensus.operators.taxonomy import AdoptCategoriesOperator, GatherCategoryOperator
from chatcensus.operators.taxonomy_model import CountProposalsOperator, ProposeCategoriesOperator
from chatcensus.operators.trial_compare import CompareTrialOperator
from chatcensus.operators.trial_judge import JudgeTrialOperator
from chatcensus.operators.trial_sample import SampleTrialOperator
from chatcensus.operators.wait import AwaitBatchOperator

__all__ = [
    "PARAMS",
    "PUBLISHES",
    "RETRY_POLICY",
    "REVIEW_PARAMS",
    "AdoptCategoriesOperator",
    "ApproveCategoriesOperator",
    "AskReviewerOperator",
    "AwaitBatchOperator",
    "CheckEditionOperator",
    "ClassifySegmentOperator",
    "CollectReviewOperator",
    "CompareTrialOperator",
    "CorrectSharesOperator",
    "CountProposalsOperator",
    "DoctorOperator",
    "DrawReviewOperator",
    "ExportTableOperator",
    "GatherCategoryOperator",
    "HandOutReviewOperator",
    "JudgeTrialOperator",
    "PlanSegmentsOperator",
    "ProposeCategoriesOperator",
    "PublishSummariesOperator",
    "RegisterSnapshotOperator",
    "SampleTrialOperator",
    "SettleRunOperator",
    "SubmitBatchOperator",
    "SummariseTableOperator",
    "alert_of_edition",
    "alert_of_failure",
]
