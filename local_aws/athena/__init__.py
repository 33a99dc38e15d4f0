"""An Athena that executes Trino SQL over objects in S3, and refuses by name what it cannot execute faithfully."""
