"""What resources have in common that moto's CloudFormation does not know at all."""

from typing import Any, ClassVar

from moto.core.common_models import CloudFormationModel


class Made:
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


class Replaced(Made):
    """A resource without contents of its own: an update takes it away and makes it again."""

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: CloudFormationModel,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Any:
        model: Any = cls
        model.delete_from_cloudformation_json(
            original_resource.physical_resource_id, cloudformation_json, account_id, region_name
        )
        return model.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)


def is_true(value: object) -> bool:
    """Read a value of a template, which arrives as text where a parameter or YAML said so."""
    return str(value).lower() == "true"
