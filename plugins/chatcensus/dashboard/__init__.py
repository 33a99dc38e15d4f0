"""What readers see: the report of a run."""
