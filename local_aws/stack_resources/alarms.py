"""Alarms, the topic that they go to, and the budget."""

import json
from typing import Any

from moto.budgets.models import budgets_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.sns.models import sns_backends

from local_aws.stack_resources.made import Made, Replaced


class TopicPolicy(Made, CloudFormationModel):
    """AWS::SNS::TopicPolicy."""

    TYPE = "AWS::SNS::TopicPolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> "TopicPolicy":
        properties = cloudformation_json["Properties"]
        for topic in properties["Topics"]:
            sns_backends[account_id][region_name].get_topic(topic).policy = json.dumps(properties["PolicyDocument"])
        return cls(resource_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> "TopicPolicy":
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, _resource_name: str, _cloudformation_json: dict[str, Any], _account_id: str, _region_name: str
    ) -> None:
        """Leave it to the topic, which goes with it."""


class Subscription(Replaced, CloudFormationModel):
    """AWS::SNS::Subscription."""

    TYPE = "AWS::SNS::Subscription"

    @classmethod
    def create_from_cloudformation_json(
        cls, _resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> "Subscription":
        properties = cloudformation_json["Properties"]
        made = sns_backends[account_id][region_name].subscribe(
            properties["TopicArn"], properties["Endpoint"], properties["Protocol"]
        )
        return cls(made.arn)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, _cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        sns_backends[account_id][region_name].unsubscribe(resource_name)


class Alarm(Replaced, CloudFormationModel):
    """AWS::CloudWatch::Alarm over one metric."""

    TYPE = "AWS::CloudWatch::Alarm"
    NAME = "AlarmName"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> "Alarm":
        properties = cloudformation_json["Properties"]
        cloudwatch_backends[account_id][region_name].put_metric_alarm(
            name=resource_name,
            namespace=properties["Namespace"],
            metric_name=properties["MetricName"],
            comparison_operator=properties["ComparisonOperator"],
            evaluation_periods=int(properties["EvaluationPeriods"]),
            period=int(properties["Period"]),
            threshold=float(properties["Threshold"]),
            statistic=properties["Statistic"],
            description=properties.get("AlarmDescription", ""),
            dimensions=properties.get("Dimensions", []),
            alarm_actions=properties.get("AlarmActions", []),
            treat_missing_data=properties.get("TreatMissingData"),
        )
        return cls(resource_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, _cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        cloudwatch_backends[account_id][region_name].delete_alarms([resource_name])


class Budget(Replaced, CloudFormationModel):
    """AWS::Budgets::Budget."""

    TYPE = "AWS::Budgets::Budget"

    @classmethod
    def create_from_cloudformation_json(
        cls, _resource_name: str, cloudformation_json: dict[str, Any], account_id: str, _region_name: str, **_: Any
    ) -> "Budget":
        properties = cloudformation_json["Properties"]
        budget = properties["Budget"]
        limit = {**budget["BudgetLimit"], "Amount": str(budget["BudgetLimit"]["Amount"])}
        budgets_backends[account_id]["aws"].create_budget(
            account_id, {**budget, "BudgetLimit": limit}, properties.get("NotificationsWithSubscribers", [])
        )
        return cls(budget["BudgetName"])

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, _cloudformation_json: dict[str, Any], account_id: str, _region_name: str
    ) -> None:
        budgets_backends[account_id]["aws"].delete_budget(account_id, resource_name)
