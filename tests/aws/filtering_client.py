"""A DynamoDB client of a newer botocore than the pinned one: its model knows how an export is filtered."""

import json
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader


def filtering_client(endpoint_url: str, folder: Path) -> Any:
    """Return a client whose model, written into *folder*, has FilterSpecification as the API reference describes it."""
    model = Loader().load_service_model("dynamodb", "service-2", "2012-08-10")
    shapes = model["shapes"]
    shapes["ExportTableToPointInTimeInput"]["members"]["FilterSpecification"] = {"shape": "FilterSpecification"}
    shapes["FilterSpecification"] = {
        "type": "structure",
        "members": {
            "FilterExpression": {"shape": "String"},
            "ProjectionExpression": {"shape": "String"},
            "KeyConditionExpression": {"shape": "String"},
            "ExpressionAttributeNames": {"shape": "ExpressionAttributeNameMap"},
            "ExpressionAttributeValues": {"shape": "ExpressionAttributeValueMap"},
        },
    }
    place = folder / "dynamodb/2012-08-10"
    place.mkdir(parents=True)
    (place / "service-2.json").write_text(json.dumps(model))
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(folder))
    return boto3.session.Session("local", "local", region_name="ap-northeast-1", botocore_session=session).client(
        "dynamodb", endpoint_url=endpoint_url, config=Config(retries={"total_max_attempts": 1}, proxies={})
    )
