"""Airflow operators: build the adapters, call the use case, translate errors."""
