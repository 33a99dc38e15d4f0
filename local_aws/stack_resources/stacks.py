"""
Stacks: parameters are held to what the template says of them, and an update makes what it should.

moto takes any value for a parameter, and sees at an update only what `Ref` names: neither `Fn::Sub` nor a condition.
Here are its own methods, put right; importing this module does it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from itertools import islice
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack
from moto.cloudformation.parsing import ResourceMap

_clean_json, _load_parameters = parsing.clean_json, ResourceMap.load_parameters
_update, _delete = ResourceMap.update, ResourceMap.delete


def clean_json(resource_json: Any, resources_map: ResourceMap) -> Any:
    """Resolve as moto does, and Fn::Cidr too; in a list AWS::NoValue is nothing at all."""
    if isinstance(resource_json, dict) and "Fn::Cidr" in resource_json:
        block, count, host_bits = clean_json(resource_json["Fn::Cidr"], resources_map)
        subnets = IPv4Network(block).subnets(new_prefix=32 - int(host_bits))
        return [str(subnet) for subnet in islice(subnets, int(count))]
    made = _clean_json(resource_json, resources_map)
    return [each for each in made if each is not None] if isinstance(made, list) else made


def load_parameters(self: ResourceMap) -> None:
    """Take the parameters as moto does. Raises: ValidationError for one that the template does not allow."""
    described: Mapping[str, Any] = self._template.get("Parameters", {})
    # What an update leaves as it was comes as moto has kept it: a list where it is one.
    self.input_parameters = {name: _as_text(value) for name, value in self.input_parameters.items()}
    if self._template:
        if unknown := sorted(set(self.input_parameters) - set(described)):
            raise ValidationError(message=f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        for name, parameter in described.items():
            _check(name, str(self.input_parameters.get(name, parameter.get("Default", ""))), parameter)
    _load_parameters(self)
    for name, parameter in described.items():
        value = self.resolved_parameters[name]
        if parameter["Type"] == "CommaDelimitedList" and isinstance(value, str):
            self.resolved_parameters[name] = value.split(",")
    self._parsed_resources.update(self.resolved_parameters)


def _as_text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def parameter_list(self: Stack) -> list[dict[str, str]]:
    """Return the parameters as texts, which they are to whoever asks."""
    resolved = self.resource_map.resolved_parameters
    return [{"ParameterKey": name, "ParameterValue": _as_text(value)} for name, value in resolved.items()]


def resolve_update_parameters(
    _self: CloudFormationBackend, instance: Any, incoming_params: list[dict[str, Any]]
) -> dict[str, str]:
    """Return the parameters of an update; what keeps its value may never have been given, and then has its default."""
    is_stack = isinstance(instance, Stack)
    before = instance.resource_map.resolved_parameters if is_stack else instance.parameters
    return {
        each["ParameterKey"]: _as_text(before[each["ParameterKey"]])
        if each.get("UsePreviousValue")
        else each["ParameterValue"]
        for each in incoming_params
    }


def _check(name: str, value: str, parameter: Mapping[str, Any]) -> None:
    allowed = [str(each) for each in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise ValidationError(message=f"Parameter '{name}' must be one of AllowedValues")
    if parameter["Type"] == "Number":
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            raise ValidationError(message=f"Parameter '{name}' must be a number")
        if float(value) < parameter.get("MinValue", float(value)):
            raise ValidationError(message=f"Parameter '{name}' must be a number not less than {parameter['MinValue']}")
        if float(value) > parameter.get("MaxValue", float(value)):
            most = parameter["MaxValue"]
            raise ValidationError(message=f"Parameter '{name}' must be a number not greater than {most}")
    values = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
    pattern = parameter.get("AllowedPattern", ".*")
    if not all(re.fullmatch(pattern, each, re.DOTALL) for each in values):
        why = parameter.get("ConstraintDescription", f"Member must satisfy regular expression pattern: {pattern}")
        raise ValidationError(message=f"Parameter '{name}' failed to satisfy constraint: {why}")


def build_resource_diff(
    self: ResourceMap, other_template: dict[str, Any], parameters: dict[str, Any] | None = None
) -> dict[str, list[str]]:
    """Say which resources an update adds, changes and removes, conditions and all that names a parameter included."""
    old, new = self._resource_json_map, other_template["Resources"]
    given = self.input_parameters if parameters is None else parameters
    after = ResourceMap(
        self.stack_id,
        self._parsed_resources["AWS::StackName"],
        given,
        self.tags,
        self._region_name,
        self._account_id,
        other_template,
        self.cross_stack_resources,
    )
    after.load()
    there = {name for name in old if self._parsed_resources.get(name) is not None}
    wanted = {name for name in new if after.lazy_condition_map.get(new[name].get("Condition"), True)}
    changed = [name for name, value in after.resolved_parameters.items() if value != self.resolved_parameters.get(name)]
    moved = [*changed, *_that_name(changed, other_template.get("Conditions", {}))]
    touched = {name for name in new if new[name] != old.get(name)} | {*_that_name(moved, new)}
    gone = there - wanted
    return {
        "Add": [name for name in new if name in wanted - there],
        "Modify": [name for name in new if name in there & wanted & touched],
        "Remove": [name for name in old if name in gone and not _is_kept(old[name])],
    }


def _is_kept(resource: Mapping[str, Any]) -> bool:
    return str(resource.get("DeletionPolicy")).startswith("Retain")


def delete(self: ResourceMap) -> None:
    """Delete as moto does, which knows one of the two policies that keep a resource."""
    for name, resource in self._resource_json_map.items():
        if _is_kept(resource):
            self._resource_json_map[name] = {**resource, "DeletionPolicy": "Retain"}
    _delete(self)


def _that_name(names: Iterable[str], described: Mapping[str, Any]) -> set[str]:
    """Return what in *described* names one of *names*, directly or by way of another one that does."""
    texts = {key: json.dumps(value) for key, value in described.items()}
    found: set[str] = set()
    looked_for = set(names)
    while looked_for:
        any_of_them = re.compile(rf'["{{]({"|".join(map(re.escape, looked_for))})["}}.]')
        looked_for = {key for key, text in texts.items() if key not in found and any_of_them.search(text)}
        found |= looked_for
    return found


def update(self: ResourceMap, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    """Update as moto does, and forget what is not of the stack any more."""
    before = dict(self._resource_json_map)
    _update(self, template, parameters)
    for name in before:
        condition = template["Resources"].get(name, {"Condition": None}).get("Condition", True)
        if not (condition is True or self.lazy_condition_map.get(condition, False)):
            self._parsed_resources.pop(name, None)


def apply(self: ChangeSet) -> None:
    """Apply a change set, after which the stack has its outputs."""
    self.stack.resource_map.update(self.template_dict, self.parameters)
    self.stack.template_dict, self.stack.parameters = self.template_dict, self.parameters
    self.stack.output_map = self.stack._create_output_map()  # noqa: SLF001  moto has no other way


parsing.clean_json = clean_json
ResourceMap.load_parameters, ResourceMap.build_resource_diff = load_parameters, build_resource_diff
ResourceMap.update, ResourceMap.delete = update, delete
ChangeSet.apply, Stack.parameter_list = apply, property(parameter_list)
CloudFormationBackend._resolve_update_parameters = resolve_update_parameters  # noqa: SLF001  as above
