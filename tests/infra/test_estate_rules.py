"""The rules of infra/checks see the faults that they stand for, each in the state that a review found."""

import datetime
from typing import Any

import pytest

from infra.checks.alarms import unpublished
from infra.checks.estate import faults
from infra.checks.iam import Iam, overlap
from infra.checks.versions import NOTICE_DAYS, base_ending, ending
from tests.helm.charts import ROOT


def resource(kind: str, **values: Any) -> dict[str, Any]:
    return {"run": "any", "address": f"{kind}.this", "type": kind, "values": values}


FAULTS = {
    "IAM with two names": [
        resource(
            "aws_elasticache_user", user_id="a", user_name="default", authentication_mode=[{"type": "iam"}]
        )
    ],
    "everybody without a password": [
        resource("aws_elasticache_user", user_id="a", no_password_required=True, access_string="on ~* +@all")
    ],
    "reserved concurrency": [resource("aws_lambda_function", reserved_concurrent_executions=2)],
    "a second monitor of services": [resource("aws_ce_anomaly_monitor", monitor_type="DIMENSIONAL")],
    "Arm on Fargate": [
        resource("aws_eks_node_group", ami_type="AL2023_ARM_64_STANDARD", capacity_type="ON_DEMAND"),
        resource("aws_eks_fargate_profile"),
    ],
    "Spot alone": [
        resource("aws_eks_node_group", capacity_type="SPOT"),
        resource("aws_eks_node_group", capacity_type="ON_DEMAND", taint=[{"key": "engine"}]),
    ],
    "search without a log policy": [resource("aws_opensearch_domain", log_publishing_options=[{}])],
    "search without its role": [resource("aws_opensearch_domain", vpc_options=[{}])],
    "copies of locked objects": [
        resource("aws_s3_bucket_object_lock_configuration", bucket="a"),
        resource("aws_s3_bucket_replication_configuration", bucket="a"),
        resource("aws_iam_role_policy", policy='{"Action": ["s3:GetObjectRetention"]}'),
    ],
    "a secret without a value": [
        resource("aws_msk_single_scram_secret_association"),
        resource("aws_secretsmanager_secret"),
    ],
    "topics that cannot be deleted": [
        resource("aws_msk_configuration", server_properties="delete.topic.enable=false")
    ],
    "a replicator without a cluster policy": [resource("aws_msk_replicator")],
    "a database without a password": [resource("aws_rds_cluster")],
    "a global database that keeps its password": [
        resource("aws_rds_cluster", manage_master_user_password=True, global_cluster_identifier="g")
    ],
    "a log group in the way": [resource("aws_cloudwatch_log_group", name="/exchange/msk")],
    "Security Hub without Config": [resource("aws_securityhub_standards_subscription")],
    "an accelerator without a name": [resource("aws_globalaccelerator_accelerator", dns_name="a.example")],
    "a key that cannot be copied": [
        {**resource("aws_kms_key"), "address": 'module.key["data"].aws_kms_key.this[0]'}
    ],
    "an edge counted as one person": [
        resource("aws_cloudfront_distribution", logging_config=[{}]),
        resource(
            "aws_wafv2_web_acl",
            scope="REGIONAL",
            rule=[{"name": "r", "statement": [{"rate_based_statement": [{"aggregate_key_type": "IP"}]}]}],
        ),
    ],
    "a page that talks to all of AWS": [
        resource("aws_cloudfront_response_headers_policy", csp="connect-src wss://*.amazonaws.com")
    ],
    "a distribution without a log": [resource("aws_cloudfront_distribution")],
    "a load balancer asked for another host": [
        resource("aws_apigatewayv2_integration", connection_type="VPC_LINK")
    ],
    "a load balancer asked for a stage's host": [
        resource("aws_api_gateway_integration", connection_type="VPC_LINK", request_parameters={})
    ],
    "a link among pods": [
        resource("aws_eks_node_group", subnet_ids=["a"], capacity_type="ON_DEMAND"),
        resource("aws_apigatewayv2_vpc_link", subnet_ids=["a", "b"]),
    ],
    "a mailer of fifty": [resource("aws_sesv2_email_identity"), resource("aws_cognito_user_pool")],
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_seen(name: str) -> None:
    assert len(faults(FAULTS[name])) == 1


def test_nothing_is_wrong_with_nothing() -> None:
    assert faults([]) == []


IAM = Iam(
    {
        "elb": {
            "Actions": {"setwebacl": {}, "deleterule": {"Resources": ["Rule"]}},
            "Resources": {
                "rule": {
                    "ARNFormats": ["arn:${Partition}:elb:${Region}:${Account}:rule/.*"],
                    "ConditionKeys": ["aws:ResourceTag/${TagKey}"],
                }
            },
        },
    }
)
RULES = "arn:aws:elb:eu-central-1:1:rule/*"
TAGGED = {"StringEquals": {"aws:ResourceTag/cluster": "a"}}


@pytest.mark.parametrize(
    ("statement", "problems"),
    [
        ({"Action": ["elb:DeleteRule"], "Resource": [RULES], "Condition": TAGGED}, 0),
        ({"Action": "elb:SetWebAcl", "Resource": "*"}, 0),
        # The fault of a firewall that was never attached: the action knows no load balancer.
        ({"Action": ["elb:SetWebAcl"], "Resource": [RULES]}, 2),
        ({"Action": ["elb:SetWebAcl"], "Resource": "*", "Condition": TAGGED}, 1),
        ({"Action": ["elb:DeleteRule"], "Resource": ["arn:aws:elb:eu-central-1:1:group/*"]}, 2),
        ({"Action": ["elb:DeleteRule"], "Resource": [RULES, "arn:aws:s3:::bucket"]}, 1),
        ({"Action": ["elb:DeleteRules"], "Resource": "*"}, 1),
        ({"Action": ["elb:DeleteRule"], "Resource": ["x7kq"]}, 1),
    ],
)
def test_a_permission_is_held_against_what_the_action_knows(statement: dict[str, Any], problems: int) -> None:
    assert len(list(IAM.violations({"Effect": "Allow", **statement}))) == problems


def test_patterns_meet_where_some_text_fits_both() -> None:
    assert overlap("arn:aws:s3:::a/*", "arn:*:s3:::*/*")
    assert overlap("arn:aws:elb:eu-central-1:1:*", "arn:*:elb:*:*:rule/*")
    assert not overlap("arn:aws:s3:::a", "arn:*:s3:::*/*")


@pytest.mark.parametrize(
    ("namespace", "metric", "dimensions", "heard"),
    [
        ("AWS/Kafka", "UnderMinIsrPartitionCount", {"Cluster Name": "a"}, False),
        ("AWS/Kafka", "UnderMinIsrPartitionCount", {"Cluster Name": "a", "Broker ID": "1"}, True),
        (
            "AWS/ElastiCache",
            "DatabaseMemoryUsageCountedForEvictPercentage",
            {"ReplicationGroupId": "a"},
            False,
        ),
        ("AWS/Kafka", "NoSuchMetric", {"Cluster Name": "a"}, False),
        ("Exchange", "exchange_engine_leading", {}, True),
        ("Exchange", "exchange_engine_leading", {"pod": "engine-0"}, False),
        ("Exchange", "exchange_order_errors_total", {"code": "-1000"}, True),
    ],
)
def test_an_alarm_waits_for_what_somebody_publishes(
    namespace: str, metric: str, dimensions: dict[str, str], heard: bool
) -> None:
    named = {"namespace": namespace, "metric_name": metric, "dimensions": dimensions}
    for values in (named, {"metric_query": [{"metric": [named]}]}):
        assert (unpublished([resource("aws_cloudwatch_metric_alarm", **values)]) == []) is heard


def test_a_version_is_red_from_its_notice_on_and_when_nobody_knows_its_end() -> None:
    cluster = [resource("aws_eks_cluster", version="1.34")]
    end = datetime.date(2026, 12, 2)
    notice = datetime.timedelta(days=NOTICE_DAYS)
    assert ending(cluster, end - notice - datetime.timedelta(days=1)) == []
    assert len(ending(cluster, end - notice)) == 1
    assert len(ending(cluster, end + notice)) == 1
    assert len(ending([resource("aws_eks_cluster", version="0.9")], end)) == 1


def test_the_image_s_base_is_red_before_its_debian_ends() -> None:
    day = datetime.date(2026, 11, 30)
    before = "ARG PYTHON_IMAGE=python:3.12.12-slim-bookworm\n"
    assert [each.split(":")[0] for each in base_ending(before, day)] == ["Debian bookworm"]
    assert len(base_ending("FROM scratch\n", day)) == 1
    assert base_ending((ROOT / "Dockerfile").read_text("utf-8"), day) == []


def test_a_version_that_aws_changes_by_itself_is_seen() -> None:
    fault = resource("aws_rds_cluster_instance", engine_version="17.7", auto_minor_version_upgrade=True)
    assert len(faults([fault])) == 1
