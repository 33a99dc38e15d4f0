"""Managed policies and roles: attached, changed and taken away as a template says."""

import json
from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.iam.models import IAMBackend, ManagedPolicy, Role, iam_backends


class AttachedPolicy(ManagedPolicy, CloudFormationModel):
    """A managed policy that a stack can change and delete."""

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: ManagedPolicy,
        cloudformation_json: dict[str, Any],
        account_id: str,
        **_: Any,
    ) -> ManagedPolicy:
        document = json.dumps(cloudformation_json["Properties"]["PolicyDocument"])
        backend = _iam(account_id)
        for version in backend.list_policy_versions(original_resource.arn):
            if not version.is_default:
                backend.delete_policy_version(original_resource.arn, version.version_id)
        backend.create_policy_version(original_resource.arn, document, set_as_default=True)
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, _cloudformation_json: dict[str, Any], account_id: str, _region_name: str
    ) -> None:
        backend = _iam(account_id)
        for role in backend.roles.values():
            if resource_name in role.managed_policies:
                backend.detach_role_policy(resource_name, role.name)
        backend.delete_policy(resource_name)


class AttachedRole(Role, CloudFormationModel):
    """A role with its ManagedPolicyArns."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> Role:
        role = super().create_from_cloudformation_json(
            resource_name, cloudformation_json, account_id, region_name, **kwargs
        )
        _attach(role, cloudformation_json["Properties"], account_id)
        return role

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Role,
        cloudformation_json: dict[str, Any],
        account_id: str,
        **_: Any,
    ) -> Role:
        properties, backend = cloudformation_json["Properties"], _iam(account_id)
        original_resource.description = properties.get("Description", "")
        original_resource.permissions_boundary_arn = properties.get("PermissionsBoundary")
        trust = json.dumps(properties["AssumeRolePolicyDocument"])
        backend.update_assume_role_policy(original_resource.name, trust)
        for arn in list(original_resource.managed_policies):
            backend.detach_role_policy(arn, original_resource.name)
        _attach(original_resource, properties, account_id)
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        for arn in list(_iam(account_id).get_role(resource_name).managed_policies):
            _iam(account_id).detach_role_policy(arn, resource_name)
        super().delete_from_cloudformation_json(resource_name, cloudformation_json, account_id, region_name)


def _attach(role: Role, properties: dict[str, Any], account_id: str) -> None:
    for arn in properties.get("ManagedPolicyArns", []):
        _iam(account_id).attach_role_policy(arn, role.name)


def _iam(account_id: str) -> IAMBackend:
    return iam_backends[account_id]["aws"]
