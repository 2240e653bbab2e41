"""Rules that hold for every resource in every folder and run, however it came there."""

import json
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["WILDCARD_RESOURCES", "violations"]

# Actions that AWS offers for all resources only, or whose resource has no name yet: why they may say "*".
WILDCARD_RESOURCES: Final = {
    "acm:DescribeCertificate": "the load balancer controller finds certificates by host name",
    "acm:ListCertificates": "lists know no resource",
    "autoscaling:Describe": "descriptions know no resource",
    "autoscaling:SetDesiredCapacity": "bound by the cluster's tag",
    "autoscaling:TerminateInstanceInAutoScalingGroup": "bound by the cluster's tag",
    "cloudwatch:PutMetricData": "bound by the namespace",
    "ec2:Describe": "descriptions know no resource",
    "ecr:GetAuthorizationToken": "a login to the registry knows no resource",
    "ec2:GetInstanceTypesFromInstanceRequirements": "a calculation, no resource",
    "eks:DescribeNodegroup": "the autoscaler learns labels of empty groups",
    "elasticloadbalancing:CreateLoadBalancer": "bound by the cluster's tag",
    "elasticloadbalancing:CreateTargetGroup": "bound by the cluster's tag",
    "elasticloadbalancing:Describe": "descriptions know no resource",
    "elasticloadbalancing:SetWebAcl": "knows no resource, so IAM grants it on all or on none",
    "secretsmanager:GetRandomPassword": "draws characters, no resource",
    "shield:": "protection of load balancers whose names come later",
    "wafv2:": "association with load balancers whose names come later",
    "xray:": "traces know no resource",
}
_WEB_PORTS: Final = (443, 80)


def violations(resource: dict[str, Any]) -> list[str]:
    """What is wrong with one resource, in words; nothing is a good sign."""
    kind, values = resource["type"], resource["values"]
    checks = {
        "aws_iam_role_policy": _role_policy,
        "aws_iam_policy": _role_policy,
        "aws_s3_bucket_public_access_block": _public_access,
        "aws_cloudwatch_log_group": _log_group,
        "aws_vpc_security_group_ingress_rule": _ingress,
        "aws_rds_cluster_instance": _database_instance,
        "aws_rds_cluster": _database,
        "aws_dynamodb_table": _table,
        "aws_sqs_queue": _queue,
        "aws_sns_topic": _topic,
        "aws_kms_key": _key,
        "aws_eks_node_group": _nodes,
    }
    check = checks.get(kind)
    return [f"{resource['address']}: {problem}" for problem in check(values)] if check else []


def _role_policy(values: dict[str, Any]) -> Iterator[str]:
    for statement in json.loads(values.get("policy") or "{}").get("Statement", []):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        resources = (
            statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        )
        if statement["Effect"] != "Allow":
            continue
        for action in actions:
            if "*" in action:
                yield f"the action {action} is a wildcard"
            if "*" in resources and not any(action.startswith(known) for known in WILDCARD_RESOURCES):
                yield f"{action} on every resource, without a reason in WILDCARD_RESOURCES"


def _public_access(values: dict[str, Any]) -> Iterator[str]:
    for name in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"):
        if values.get(name) is not True:
            yield f"{name} is off"


def _log_group(values: dict[str, Any]) -> Iterator[str]:
    if not values.get("kms_key_id"):
        yield "logs are not under a key of ours"
    if not values.get("retention_in_days"):
        yield "logs are kept for ever"


def _ingress(values: dict[str, Any]) -> Iterator[str]:
    if values.get("cidr_ipv4") == "0.0.0.0/0" or values.get("cidr_ipv6") == "::/0":
        yield "open to the world"
    if values.get("cidr_ipv4") and values.get("from_port") not in _WEB_PORTS:
        yield "opened to a network instead of a group"


def _database_instance(values: dict[str, Any]) -> Iterator[str]:
    if values.get("publicly_accessible"):
        yield "a public database"


def _database(values: dict[str, Any]) -> Iterator[str]:
    if not values.get("storage_encrypted"):
        yield "not encrypted"
    if values.get("master_password"):
        yield "its password is in the state"


def _table(values: dict[str, Any]) -> Iterator[str]:
    if not any(block.get("kms_key_arn") for block in values.get("server_side_encryption") or []):
        yield "not under a key of ours"


def _queue(values: dict[str, Any]) -> Iterator[str]:
    if not values.get("kms_master_key_id"):
        yield "not under a key of ours"
    if not str(values.get("name", "")).endswith("-dead") and not values.get("redrive_policy"):
        yield "no dead letters"


def _topic(values: dict[str, Any]) -> Iterator[str]:
    if not values.get("kms_master_key_id"):
        yield "not under a key of ours"


def _key(values: dict[str, Any]) -> Iterator[str]:
    # KMS rotates no key that signs: what it has signed is checked against its public half.
    if not values.get("enable_key_rotation") and values.get("key_usage") != "SIGN_VERIFY":
        yield "does not rotate"


def _nodes(values: dict[str, Any]) -> Iterator[str]:
    labels = values.get("labels") or {}
    if labels.get("exchange/pool") == "engine" and values.get("capacity_type") != "ON_DEMAND":
        yield "the engine on Spot"
