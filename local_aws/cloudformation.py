"""
CloudFormation as our templates need it: resource types that moto lacks or creates only in part, and stacks.

moto finds resource types by the direct subclasses of CloudFormationModel, a later one replacing an earlier one of the
same type; that is all the hook they need. Written against moto 5.2.5, held by tests/aws/test_local_stack.py.
"""

from local_aws.stack_resources import airflow, alarms, permissions, queries, stacks, storage

__all__ = ["airflow", "alarms", "permissions", "queries", "stacks", "storage"]
