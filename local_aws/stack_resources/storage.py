"""Tables, buckets, their policies and the key that encrypts them."""

import json
from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.kms.models import Key
from moto.s3.models import FakeBucket, s3_backends

from local_aws.stack_resources.made import Replaced, is_true


class RecoverableTable(Table, CloudFormationModel):
    """A table whose PointInTimeRecoverySpecification and SSESpecification are obeyed."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> Table:
        table = super().create_from_cloudformation_json(
            resource_name, cloudformation_json, account_id, region_name, **kwargs
        )
        recovery = cloudformation_json["Properties"].get("PointInTimeRecoverySpecification")
        if recovery:
            wanted = {**recovery, "PointInTimeRecoveryEnabled": is_true(recovery.get("PointInTimeRecoveryEnabled"))}
            dynamodb_backends[account_id][region_name].update_continuous_backups(resource_name, wanted)
        _encrypt(table, cloudformation_json["Properties"])
        return table

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Table, cloudformation_json: dict[str, Any], **_: Any
    ) -> Table:
        """Change the encryption; whatever else our templates say of a table never changes."""
        _encrypt(original_resource, cloudformation_json["Properties"])
        return original_resource


def _encrypt(table: Table, properties: dict[str, Any]) -> None:
    """Note the key that encrypts a table; without one, a key that AWS owns and does not tell."""
    asked = properties.get("SSESpecification")
    key = asked and {"Enabled": is_true(asked["SSEEnabled"]), "KMSMasterKeyId": asked.get("KMSMasterKeyId")}
    table.sse_specification = key or None


class GuardedBucket(FakeBucket, CloudFormationModel):
    """A bucket whose public-access block, ownership and lifecycle are as its template says."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> FakeBucket:
        bucket = super().create_from_cloudformation_json(
            resource_name, cloudformation_json, account_id, region_name, **kwargs
        )
        _guard(resource_name, cloudformation_json.get("Properties", {}), account_id)
        return bucket

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: FakeBucket,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> FakeBucket:
        bucket = super().update_from_cloudformation_json(
            original_resource, new_resource_name, cloudformation_json, account_id, region_name
        )
        _guard(bucket.name, cloudformation_json.get("Properties", {}), account_id)
        return bucket


def _guard(bucket: str, properties: dict[str, Any], account_id: str) -> None:
    backend = s3_backends[account_id]["aws"]
    block = properties.get("PublicAccessBlockConfiguration")
    if block:
        backend.put_public_access_block(bucket, {key: is_true(value) for key, value in block.items()})
    ownership = properties.get("OwnershipControls")
    if ownership:
        backend.put_bucket_ownership_controls(bucket, ownership["Rules"][0]["ObjectOwnership"])
    rules = properties.get("LifecycleConfiguration", {}).get("Rules", [])
    if rules:
        backend.put_bucket_lifecycle(bucket, [_lifecycle_rule(rule) for rule in rules])
    versioning = properties.get("VersioningConfiguration")
    if versioning:
        backend.put_bucket_versioning(bucket, versioning["Status"])


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Turn a rule of the template into the shape of S3's XML, which moto parses."""
    wanted: dict[str, Any] = {
        "ID": rule.get("Id"),
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    if "ExpirationInDays" in rule:
        wanted["Expiration"] = {"Days": str(rule["ExpirationInDays"])}
    if "NoncurrentVersionExpiration" in rule:
        days = rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        wanted["NoncurrentVersionExpiration"] = {"NoncurrentDays": str(days)}
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        wanted["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": str(days)}
    return wanted


class BucketPolicy(Replaced, CloudFormationModel):
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


class EncryptionKey(Key, CloudFormationModel):
    """A KMS key with its tags, whose policy can be read as the JSON text that it is."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> Key:
        properties = cloudformation_json["Properties"]
        tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", [])]
        as_asked = {**properties, "KeyPolicy": json.dumps(properties["KeyPolicy"]), "Tags": tags}
        return super().create_from_cloudformation_json(
            resource_name, {**cloudformation_json, "Properties": as_asked}, account_id, region_name, **kwargs
        )
