"""One conversation of the table by its id, as it is now."""

from typing import TYPE_CHECKING

from boto3.dynamodb.types import TypeDeserializer

from chatcensus.aws.bodies import body_text
from chatcensus.aws.quarantines import key_of
from chatcensus.aws.table_walk import describe
from chatcensus.conversation import Conversation
from chatcensus.mapping import Stored, TableMapping

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_deserialize = TypeDeserializer().deserialize


class Lookup:
    """
    Finds conversations one by one: a Query each.

    Shape: *s3* is asked for the bodies that items point to. Errors: SetupError for a *table* that is not as *mapping*
    says; those of botocore.
    """

    def __init__(self, client: "DynamoDBClient", table: str, mapping: TableMapping, s3: "S3Client") -> None:
        self.client, self.mapping, self.s3, self.table = client, mapping, s3, table
        attributes = describe(client, table, mapping)["AttributeDefinitions"]
        self.types = {each["AttributeName"]: each["AttributeType"] for each in attributes}

    def find(self, conversation_id: str) -> Conversation | None:
        """Return the conversation; None when it is gone."""
        key = key_of(conversation_id, self.mapping, self.types)
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression=" AND ".join(f"#{number} = :{number}" for number in range(len(key))),
            ExpressionAttributeNames={f"#{number}": name for number, name in enumerate(key)},
            ExpressionAttributeValues={f":{number}": value for number, value in enumerate(key.values())},
            ConsistentRead=True,
        )
        typed = (item for page in pages for item in page["Items"])
        plain = ({name: _deserialize(value) for name, value in item.items()} for item in typed)
        items = [item for item in plain if self.mapping.is_conversation(item)]
        if not items:
            return None
        messages = tuple(items) if self.mapping.one_item_is == "message" else ()
        body = body_text(self.s3, self.mapping, items[0])
        return self.mapping.conversation(Stored(items[0], has_room=True, messages=messages, body=body))
