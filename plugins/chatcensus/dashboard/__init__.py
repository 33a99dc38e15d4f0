"""What people see: the pages in Airflow, the report of a run in one file, and its summary."""
