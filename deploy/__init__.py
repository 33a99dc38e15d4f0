"""What brings Chat Census to Amazon MWAA: the package, its check in an environment like MWAA's, and its upload."""
