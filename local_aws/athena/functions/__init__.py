"""Functions of Trino, by kind."""
