"""What AWS refuses, or takes and never does: rules over all resources of one run together.

Each rule stands for a fault that a review found and that the provider's schema cannot know; its source is the
comment above it. They see what a plan comes to, whoever wrote it.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["faults"]

Values = dict[str, Any]


class Run:
    """The resources of one run, by their type: (address, values)."""

    def __init__(self, resources: list[dict[str, Any]]) -> None:
        self._of: dict[str, list[tuple[str, Values]]] = {}
        for resource in resources:
            found = (resource["address"], resource["values"])
            self._of.setdefault(resource["type"], []).append(found)

    def __call__(self, kind: str) -> list[tuple[str, Values]]:
        return self._of.get(kind, [])


def faults(resources: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the resources of one run, in words, sorted."""
    run = Run(resources)
    return sorted({problem for rule in _RULES for problem in rule(run)})


# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html, "Limitations": id and name must be
# equal.
def _redis_users(run: Run) -> Iterator[str]:
    for address, user in run("aws_elasticache_user"):
        by_iam = any(mode.get("type") == "iam" for mode in user.get("authentication_mode") or [])
        if by_iam and user.get("user_id") != user.get("user_name"):
            yield f"{address}: IAM wants user_id and user_name to be equal: CreateUser refuses"
        if user.get("no_password_required") and not str(user.get("access_string")).startswith("off"):
            yield f"{address}: everybody may come in without a password"


# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html: 10 stay unreserved, a new
# account has 10.
def _functions(run: Run) -> Iterator[str]:
    for address, function in run("aws_lambda_function"):
        if (function.get("reserved_concurrent_executions") or -1) >= 0:
            yield f"{address}: reserves concurrency, which a new account has none of to give away"
    for address, mapping in run("aws_lambda_event_source_mapping"):
        if "sqs" in str(mapping.get("event_source_arn")) and not mapping.get("scaling_config"):
            yield f"{address}: no limit on how many batches are worked on at once"


# https://docs.aws.amazon.com/cost-management/latest/userguide/getting-started-ad.html: one such monitor an
# account, and AWS makes it itself.
def _cost_monitors(run: Run) -> Iterator[str]:
    for address, monitor in run("aws_ce_anomaly_monitor"):
        if monitor.get("monitor_type") == "DIMENSIONAL":
            yield f"{address}: AWS allows one monitor of services an account, and has made it"


# https://docs.aws.amazon.com/eks/latest/userguide/fargate.html: no Arm on Fargate.
def _machines(run: Run) -> Iterator[str]:
    arm = any("ARM_64" in str(nodes.get("ami_type")) for _, nodes in run("aws_eks_node_group"))
    for address, _ in run("aws_eks_fargate_profile"):
        if arm:
            yield f"{address}: Fargate of EKS runs no Arm image, and the nodes run nothing else"
    pools = run("aws_eks_node_group")
    open_pools = [nodes for _, nodes in pools if not nodes.get("taint")]
    if open_pools and all(nodes.get("capacity_type") == "SPOT" for nodes in open_pools):
        yield "aws_eks_node_group: what tolerates no taint (CoreDNS, controllers) has Spot machines only"


# https://docs.aws.amazon.com/opensearch-service/latest/developerguide/createdomain-configure-slow-logs.html
# and .../slr-aos.html: it writes logs only where a resource policy lets it, and joins a VPC by its linked
# role.
def _search(run: Run) -> Iterator[str]:
    writers = json.dumps(
        [policy.get("policy_document") for _, policy in run("aws_cloudwatch_log_resource_policy")]
    )
    roles = [role.get("aws_service_name") for _, role in run("aws_iam_service_linked_role")]
    for address, domain in run("aws_opensearch_domain"):
        if domain.get("log_publishing_options") and "es.amazonaws.com" not in writers:
            yield f"{address}: CloudWatch Logs lets it write nothing: no aws_cloudwatch_log_resource_policy"
        if domain.get("vpc_options") and not any("opensearch" in str(role) for role in roles):
            yield f"{address}: a domain in a VPC needs the service-linked role of OpenSearch"


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-replication
def _replication(run: Run) -> Iterator[str]:
    locked = {lock.get("bucket") for _, lock in run("aws_s3_bucket_object_lock_configuration")}
    policies = json.dumps([policy.get("policy") for _, policy in run("aws_iam_role_policy")])
    for address, _ in run("aws_s3_bucket_replication_configuration"):
        if locked and "s3:GetObjectLegalHold" not in policies:
            yield f"{address}: objects under a lock are copied only by who may read their legal hold"


# https://docs.aws.amazon.com/msk/latest/developerguide/msk-password.html: the secret needs a value when it
# is associated.
def _brokers(run: Run) -> Iterator[str]:
    rotated = run("aws_secretsmanager_secret_rotation")
    for address, _ in run("aws_msk_single_scram_secret_association"):
        if run("aws_secretsmanager_secret") and not rotated:
            yield f"{address}: the secret has no value yet, nobody draws one"
    for address, configuration in run("aws_msk_configuration"):
        if "delete.topic.enable=false" in str(configuration.get("server_properties")):
            yield f"{address}: a rebuild that was interrupted cannot begin anew: topics cannot be deleted"
    for address, _ in run("aws_msk_replicator"):
        if not run("aws_msk_cluster_policy"):
            yield f"{address}: MSK Replicator reaches another region only by a cluster policy"


# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html: a first cluster has a
# password.
def _databases(run: Run) -> Iterator[str]:
    for address, cluster in run("aws_rds_cluster"):
        # Of a global one Terraform itself asks (a precondition): what a copy has by itself, a mock invents.
        drawn = cluster.get("manage_master_user_password") or cluster.get("master_password_wo_version")
        if not cluster.get("global_cluster_identifier") and not drawn:
            yield f"{address}: a cluster that joins nobody is created with a password"
        if cluster.get("manage_master_user_password") and cluster.get("global_cluster_identifier"):
            yield f"{address}: a global database cannot keep its own password"


# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_UpgradeDBInstance.PostgreSQL.MinorUpgrade.html:
# AWS raises the version, the next plan wants the named one back, and no version ever goes back.
def _versions_of_others(run: Run) -> Iterator[str]:
    for address, instance in run("aws_rds_cluster_instance"):
        if instance.get("auto_minor_version_upgrade") and "." in str(instance.get("engine_version")):
            yield f"{address}: AWS raises the version by itself, and no later plan can be applied"


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html: the policy
# that AWS keeps for delivered logs has 5,120 characters; names below /aws/vendedlogs/ cost one line in all.
_VENDED: Final = ("/msk", "/redis", "/api-gateway", "/notices", "/firehose")


def _log_groups(run: Run) -> Iterator[str]:
    for address, group in run("aws_cloudwatch_log_group"):
        name = str(group.get("name"))
        if name.endswith(_VENDED) and not name.startswith("/aws/vendedlogs/"):
            yield f"{address}: {name} takes up the account's policy of logs: /aws/vendedlogs/{name[1:]}"


# https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-setup-prereqs.html: controls read AWS
# Config.
def _guards(run: Run) -> Iterator[str]:
    for address, _ in run("aws_securityhub_standards_subscription"):
        if not run("aws_config_configuration_recorder_status"):
            yield f"{address}: without AWS Config most controls of the standard have no data"


# https://docs.aws.amazon.com/global-accelerator/latest/dg/dns-addressing-custom-domains.mapping-your-custom-domain.html
def _accelerators(run: Run) -> Iterator[str]:
    named = {
        alias.get("name") for _, record in run("aws_route53_record") for alias in record.get("alias") or []
    }
    for address, accelerator in run("aws_globalaccelerator_accelerator"):
        if accelerator.get("dns_name") not in named:
            yield f"{address}: no name leads to it, so nobody uses it"


# A key that becomes a multi-region key is another key: what it sealed is lost with the old one
# (docs/deploy.md). https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html:
# no conversion.
_COPIED_KEYS: Final = ("data", "application")


def _keys(run: Run) -> Iterator[str]:
    for address, key in run("aws_kms_key"):
        if any(f'key["{name}"]' in address for name in _COPIED_KEYS) and not key.get("multi_region"):
            yield f"{address}: cannot be copied to another region later without losing what it sealed"


# https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based-aggregation-options.html
def _rates(run: Run) -> Iterator[str]:
    distributions = run("aws_cloudfront_distribution")
    for address, acl in run("aws_wafv2_web_acl"):
        if acl.get("scope") != "REGIONAL" or not distributions:
            continue
        for rule in acl.get("rule") or []:
            for statement in rule.get("statement") or []:
                for rate in statement.get("rate_based_statement") or []:
                    counted = rate.get("aggregate_key_type")
                    if counted == "IP" and not _without_edges(rate):
                        yield f"{address}: {rule['name']} counts all behind an edge of CloudFront as one"


def _without_edges(rate: Values) -> bool:
    return bool(_found(rate.get("scope_down_statement"), "ip_set_reference_statement"))


def _found(value: Any, name: str) -> list[Any]:
    """Every non-empty value under this name, however deep."""
    if isinstance(value, dict):
        own = [value[name]] if value.get(name) else []
        return own + [found for inner in value.values() for found in _found(inner, name)]
    if isinstance(value, list):
        return [found for inner in value for found in _found(inner, name)]
    return []


# The page may talk to whom its policy names: all of AWS is everybody's account.
def _pages(run: Run) -> Iterator[str]:
    for address, policy in run("aws_cloudfront_response_headers_policy"):
        if "*.amazonaws.com" in json.dumps(policy):
            yield f"{address}: the page may send what it knows to anybody's address in AWS"
    for address, distribution in run("aws_cloudfront_distribution"):
        if not distribution.get("logging_config") and not run("aws_cloudwatch_log_delivery"):
            yield f"{address}: nobody sees who asked for what: no access log"


# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-private.html:
# the load balancer chooses by host, and is told the API's own unless it is overwritten.
def _gateways(run: Run) -> Iterator[str]:
    for address, integration in run("aws_apigatewayv2_integration"):
        by_link = integration.get("connection_type") == "VPC_LINK"
        if by_link and "overwrite:header.Host" not in (integration.get("request_parameters") or {}):
            yield f"{address}: the load balancer is asked for API Gateway's host, which no rule of it knows"
    for address, integration in run("aws_api_gateway_integration"):
        by_link = integration.get("connection_type") == "VPC_LINK"
        if by_link and "integration.request.header.Host" not in (integration.get("request_parameters") or {}):
            yield f"{address}: the load balancer is asked for the stage's host, which no rule of it knows"


# Who comes by API Gateway has the link's address: where pods stand, nobody counts it (exemptCidrs).
def _links(run: Run) -> Iterator[str]:
    pods = {subnet for _, nodes in run("aws_eks_node_group") for subnet in nodes.get("subnet_ids") or []}
    for address, link in run("aws_apigatewayv2_vpc_link"):
        if pods & set(link.get("subnet_ids") or []):
            yield f"{address}: stands where pods do, whose addresses are not counted"


# https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-email.html: 50 mails a day by its own
# mailer.
def _mailers(run: Run) -> Iterator[str]:
    identities = run("aws_sesv2_email_identity")
    for address, pool in run("aws_cognito_user_pool"):
        if identities and not pool.get("email_configuration"):
            yield f"{address}: sends 50 mails a day at most, though there is an identity of SES"


_RULES: Final[tuple[Callable[[Run], Iterator[str]], ...]] = (
    _redis_users,
    _functions,
    _cost_monitors,
    _machines,
    _search,
    _replication,
    _brokers,
    _databases,
    _versions_of_others,
    _log_groups,
    _guards,
    _accelerators,
    _keys,
    _rates,
    _pages,
    _gateways,
    _links,
    _mailers,
)
