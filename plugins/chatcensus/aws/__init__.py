"""Adapters to AWS (boto3, never Airflow)."""
