"""What sqlfluff needs to render our templates: the filter of the operators, known to its linter by this name."""


def sql_string(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


SQLFLUFF_JINJA_FILTERS = {"sql_string": sql_string}
