"""
The resource types of our template that moto's CloudFormation lacks or creates only in part.

moto finds resource types by the direct subclasses of CloudFormationModel, a later one replacing an earlier one of the
same type; that is all the hook we need. Written against moto 5.2.5, held by tests/aws/test_local_stack.py.
"""

import json
from typing import Any, ClassVar

from moto.athena.models import athena_backends
from moto.core.common_models import CloudFormationModel
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.glue.models import glue_backends
from moto.s3.models import FakeBucket, s3_backends


class RecoverableTable(Table, CloudFormationModel):
    """A table whose PointInTimeRecoverySpecification is obeyed."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> Table:
        table = super().create_from_cloudformation_json(
            resource_name, cloudformation_json, account_id, region_name, **kwargs
        )
        recovery = cloudformation_json["Properties"].get("PointInTimeRecoverySpecification")
        if recovery:
            # Values of a template arrive as text where a parameter or YAML said so.
            wanted = {**recovery, "PointInTimeRecoveryEnabled": _is_true(recovery.get("PointInTimeRecoveryEnabled"))}
            dynamodb_backends[account_id][region_name].update_continuous_backups(resource_name, wanted)
        return table


class GuardedBucket(FakeBucket, CloudFormationModel):
    """A bucket whose public-access block, ownership and lifecycle are as its template says."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> FakeBucket:
        bucket = super().create_from_cloudformation_json(
            resource_name, cloudformation_json, account_id, region_name, **kwargs
        )
        properties = cloudformation_json.get("Properties", {})
        backend = s3_backends[account_id]["aws"]
        block = properties.get("PublicAccessBlockConfiguration")
        if block:
            backend.put_public_access_block(resource_name, {key: _is_true(value) for key, value in block.items()})
        ownership = properties.get("OwnershipControls")
        if ownership:
            backend.put_bucket_ownership_controls(resource_name, ownership["Rules"][0]["ObjectOwnership"])
        rules = properties.get("LifecycleConfiguration", {}).get("Rules", [])
        if rules:
            backend.put_bucket_lifecycle(resource_name, [_lifecycle_rule(rule) for rule in rules])
        return bucket


class _Made:
    """What a resource is that has nothing but its type, a name and no attributes."""

    TYPE: ClassVar[str]
    NAME: ClassVar[str] = ""  # the property that names it, where one does

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @classmethod
    def cloudformation_name_type(cls) -> str:
        return cls.NAME

    @classmethod
    def has_cfn_attr(cls, _attr: str) -> bool:
        return False


class BucketPolicy(_Made, CloudFormationModel):
    """AWS::S3::BucketPolicy, but for the rule that only TLS comes in: a loopback server speaks plain HTTP."""

    TYPE = "AWS::S3::BucketPolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, _resource_name: str, cloudformation_json: dict[str, Any], account_id: str, _region_name: str, **_: Any
    ) -> "BucketPolicy":
        properties = cloudformation_json["Properties"]
        document = properties["PolicyDocument"]
        kept = [rule for rule in document["Statement"] if "aws:SecureTransport" not in json.dumps(rule)]
        if kept:
            policy = json.dumps({**document, "Statement": kept}).encode()
            s3_backends[account_id]["aws"].put_bucket_policy(properties["Bucket"], policy)
        return cls(properties["Bucket"])

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, _cloudformation_json: dict[str, Any], account_id: str, _region_name: str
    ) -> None:
        s3_backends[account_id]["aws"].delete_bucket_policy(resource_name)


class GlueDatabase(_Made, CloudFormationModel):
    """AWS::Glue::Database."""

    TYPE = "AWS::Glue::Database"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> "GlueDatabase":
        database = cloudformation_json["Properties"]["DatabaseInput"]
        name = database.get("Name", resource_name)
        glue_backends[account_id][region_name].create_database(name, database)
        return cls(name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, _cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        glue_backends[account_id][region_name].delete_database(resource_name)


class AthenaWorkGroup(_Made, CloudFormationModel):
    """AWS::Athena::WorkGroup, with its configuration."""

    TYPE = "AWS::Athena::WorkGroup"
    NAME = "Name"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> "AthenaWorkGroup":
        properties = cloudformation_json["Properties"]
        configuration = dict(properties.get("WorkGroupConfiguration", {}))
        for key in ("EnforceWorkGroupConfiguration", "PublishCloudWatchMetricsEnabled", "RequesterPaysEnabled"):
            if key in configuration:
                configuration[key] = _is_true(configuration[key])
        if "BytesScannedCutoffPerQuery" in configuration:
            configuration["BytesScannedCutoffPerQuery"] = int(configuration["BytesScannedCutoffPerQuery"])
        athena_backends[account_id][region_name].create_work_group(
            resource_name, configuration, properties.get("Description", ""), properties.get("Tags", [])
        )
        return cls(resource_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, _cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        athena_backends[account_id][region_name].delete_work_group(resource_name)


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Turn a rule of the template into the shape of S3's XML, which moto parses."""
    wanted: dict[str, Any] = {
        "ID": rule.get("Id"),
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    if "ExpirationInDays" in rule:
        wanted["Expiration"] = {"Days": str(rule["ExpirationInDays"])}
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        wanted["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": str(days)}
    return wanted
