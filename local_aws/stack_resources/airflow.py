"""The MWAA environment, in name only: the local AWS runs no Airflow."""

from typing import Any

from moto.core.common_models import CloudFormationModel

from local_aws.stack_resources.made import Replaced


class Environment(Replaced, CloudFormationModel):
    """AWS::MWAA::Environment, which is there at once, at an address where nothing is."""

    TYPE = "AWS::MWAA::Environment"
    NAME = "Name"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, _cloudformation_json: dict[str, Any], _account_id: str, _region_name: str, **_: Any
    ) -> "Environment":
        return cls(resource_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, _resource_name: str, _cloudformation_json: dict[str, Any], _account_id: str, _region_name: str
    ) -> None:
        """Nothing was made."""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "WebserverUrl"

    def get_cfn_attribute(self, _attribute_name: str) -> str:
        return f"{self.physical_resource_id}.airflow.invalid"
