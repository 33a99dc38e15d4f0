"""The API of Athena: requests, executions, results, workgroups."""
