"""What `evaluations.sql` asks for, for sqlfluff's templater: the shape of what chatcensus.crosswalk gives."""

renames = [("0123456789ab", "program", "coding")]
comparable = [("travel", "other")]
