"""What `layer.sql` asks for, for sqlfluff's templater: the shape of what chatcensus.layer_sql renders."""

items = "(select * from conversations_ion where export_id = ?)"
is_conversation = "starts_with(only_1, 'chat#')"
conversation_id = "partition_key"
created_at = "created_at"
nth_message = "1"


def text(column: str) -> str:
    """The text of an attribute."""
    return f"lower({column})"


def word(column: str) -> str:
    """A word of an evaluation."""
    return f"if(regexp_like({column}, '^[!-~]+$'), {column})"
