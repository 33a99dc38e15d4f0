"""
Apache Iceberg tables as Athena keeps them: format version 2, Parquet, registered in Glue. pyiceberg does the files.

Athena writes DELETE, UPDATE and MERGE as position deletes (merge-on-read). Here the touched files are written anew
(copy-on-write): rows, row counts and snapshots are the same, files are not, so what would show files is refused.
Nothing outside this package imports pyiceberg, and the engine imports this package when it first meets such a table.
"""
