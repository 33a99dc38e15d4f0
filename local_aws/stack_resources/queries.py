"""The database and the workgroup."""

from typing import Any

from moto.athena.models import athena_backends
from moto.core.common_models import CloudFormationModel
from moto.glue.models import glue_backends

from local_aws.stack_resources.made import Made, is_true


class GlueDatabase(Made, CloudFormationModel):
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


class AthenaWorkGroup(Made, CloudFormationModel):
    """AWS::Athena::WorkGroup, with its configuration."""

    TYPE = "AWS::Athena::WorkGroup"
    NAME = "Name"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> "AthenaWorkGroup":
        properties = cloudformation_json["Properties"]
        athena_backends[account_id][region_name].create_work_group(
            resource_name, _configuration(properties), properties.get("Description", ""), properties.get("Tags", [])
        )
        return cls(resource_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: "AthenaWorkGroup",
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> "AthenaWorkGroup":
        properties = cloudformation_json["Properties"]
        group = athena_backends[account_id][region_name].work_groups[original_resource.physical_resource_id]
        group.configuration = _configuration(properties)
        group.description = properties.get("Description", "")
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, _cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        athena_backends[account_id][region_name].delete_work_group(resource_name)


def _configuration(properties: dict[str, Any]) -> dict[str, Any]:
    configuration = dict(properties.get("WorkGroupConfiguration", {}))
    for key in ("EnforceWorkGroupConfiguration", "PublishCloudWatchMetricsEnabled", "RequesterPaysEnabled"):
        if key in configuration:
            configuration[key] = is_true(configuration[key])
    if "BytesScannedCutoffPerQuery" in configuration:
        configuration["BytesScannedCutoffPerQuery"] = int(configuration["BytesScannedCutoffPerQuery"])
    return configuration
