"""Trino SQL translated, type by type, into what DuckDB runs."""
