"""Who reads in these tests, beside those whom every Airflow has."""

STRANGER, ANOTHER_DAG = "stranger", "another"  # a person who may do everything with one DAG, which is not ours
