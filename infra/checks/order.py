"""What has to go before what: a destroy goes through Terraform's graph backwards, the apply forwards.

A pair says that one resource needs the other for as long as it is there: it is made after it, and goes before
it. Where the configuration does not say so, both orders are possible, and in one of them a destroy hangs: no
program of AWS cleans up behind itself without its rights, its way out, or the bucket that it writes to.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

__all__ = ["PAIRS", "edges_of", "unordered"]

Edges = Mapping[str, set[str]]

# (who, needs what, why), addresses as `terraform graph` has them.
PAIRS: Final = (
    (
        "module.eks.aws_eks_cluster.this",
        "module.eks.module.cluster_role.aws_iam_role_policy_attachment.managed",
        "EKS removes its network interfaces by its role",
    ),
    (
        "module.eks.aws_eks_node_group.this",
        "module.eks.module.node_role.aws_iam_role_policy_attachment.managed",
        "nodes leave by their role",
    ),
    (
        "module.eks.aws_eks_node_group.this",
        "module.network.aws_nat_gateway.this",
        "nodes join and drain by a way out of the private subnets",
    ),
    (
        "module.eks.aws_eks_node_group.this",
        "module.network.aws_route_table_association.private",
        "and by the routes to it",
    ),
    (
        "module.security.aws_cloudtrail.this",
        "module.security.module.trail_bucket.aws_s3_bucket_policy.this",
        "CloudTrail is refused at a bucket that does not let it write",
    ),
    (
        "module.security.aws_config_delivery_channel.this",
        "module.security.module.config_bucket.aws_s3_bucket_policy.this",
        "so is Config",
    ),
    (
        "module.security.aws_config_configuration_recorder_status.this",
        "module.security.aws_config_delivery_channel.this",
        "a recorder that runs cannot lose its channel",
    ),
    (
        "module.lake.aws_kinesis_firehose_delivery_stream.this",
        "module.lake.module.role.aws_iam_role_policy.this",
        "Firehose asks for all its rights when it is made",
    ),
    (
        "module.storage.aws_s3_bucket_replication_configuration.this",
        "module.storage.module.replication_role.aws_iam_role_policy.this",
        "copies are made by a role with its rights",
    ),
    (
        "module.reads.module.function.aws_lambda_function.this",
        "module.reads.module.function.module.role.aws_iam_role_policy_attachment.managed",
        "a function in the VPC makes and removes its interfaces by its role",
    ),
    (
        "module.messaging.aws_lambda_event_source_mapping.sender",
        "module.messaging.module.sender.module.role.aws_iam_role_policy.this",
        "Lambda asks whether the function may read the queue",
    ),
    (
        "module.observability.aws_opensearch_domain.this",
        "module.observability.aws_cloudwatch_log_resource_policy.search",
        "a domain that may not write its log is refused",
    ),
    (
        "module.security.aws_secretsmanager_secret_rotation.this",
        "module.redis.aws_elasticache_user.exchange",
        "the first rotation changes a user that has to be there",
    ),
)


def edges_of(dot: str) -> dict[str, set[str]]:
    """Address -> what it depends on directly, from the output of `terraform graph`."""
    found: dict[str, set[str]] = {}
    for name in re.findall(r'(?m)^\s*"([^"]+)" \[', dot):
        found.setdefault(name, set())
    for one, other in re.findall(r'"([^"]+)" -> "([^"]+)"', dot):
        found.setdefault(one, set()).add(other)
    return found


def unordered(edges: Edges, pairs: Iterable[tuple[str, str, str]] = PAIRS) -> list[str]:
    """Pairs between which nothing says who goes first, in words; and those that name what is not there."""
    return sorted(_problems(edges, pairs))


def _problems(edges: Edges, pairs: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    for who, needed, why in pairs:
        absent = [name for name in (who, needed) if name not in edges]
        if absent:
            yield f"{', '.join(absent)}: there is no such resource (infra/checks/order.py)"
        elif needed not in _reached(edges, who):
            yield f"{who} may be destroyed after {needed}: {why}"


def _reached(edges: Edges, start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in edges.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found
