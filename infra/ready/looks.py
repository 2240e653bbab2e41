"""What each step of docs/deploy.md leaves behind, and what it means when that is not there.

A look is one command that changes nothing, a pattern that its output has when all is well, and the words for
when it has not. `$NAME` in a command is a variable of the environment, as docs/deploy.md sets it.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["STEPS", "Look"]


@dataclass(frozen=True)
class Look:
    """One command that only reads, what it says when all is well, and what to do when it does not."""

    command: str
    expected: str
    missing: str


def _quota(service: str, code: str, least: int, name: str) -> Look:
    """A quota of the account: at least so much."""
    digits = "|".join(rf"[{least // 10**power}-9]\d{{{power}}}\b" for power in (len(str(least)) - 1,))
    return Look(
        f"aws service-quotas get-service-quota --service-code {service} --quota-code {code} "
        "--query Quota.Value --output text",
        rf"^(?:{digits}|\d{{{len(str(least)) + 1},}})",
        f"the quota of {name} is below {least}: `aws service-quotas request-service-quota-increase "
        f"--service-code {service} --quota-code {code} --desired-value {least}`, and wait for the answer",
    )


def _tool(command: str, expected: str, name: str) -> Look:
    """A program on this machine, in a version that the commands of the document need."""
    return Look(command, expected, f"{name} is not here, or too old")


_KUBE: Final = "kubectl get"
_NOTHING: Final = r"^\s*(?:None)?\s*$"
_REDIS_IS_ON: Final = Look(
    "aws elasticache describe-users --user-id $NAME --query Users[0].AccessString --output text",
    "^on ",
    "the user of Redis is switched off: no password has been drawn. `aws secretsmanager "
    "rotate-secret --secret-id $NAME/redis`, then the log group /aws/lambda/$NAME-rotation",
)
_SECRETS_ARE_COPIED: Final = Look(
    f"{_KUBE} externalsecret -n exchange -o jsonpath={{.items[*].status.conditions[0].status}}",
    "^True(?: True)*$",
    "a secret was not copied: `kubectl describe externalsecret -n exchange` says which and why",
)
STEPS: Final[dict[str, tuple[Look, ...]]] = {
    "machine": (
        _tool(
            "terraform version", r"v1\.(?:1[1-9]|[2-9]\d)\.", "Terraform or OpenTofu 1.11, under that name,"
        ),
        _tool("aws --version", r"aws-cli/2\.", "AWS CLI 2"),
        _tool("helm version --short", r"v4\.", "Helm 4"),
        _tool(
            "kubectl version --client", r"Client Version: v1\.3[5-9]", "kubectl 1.35, for a cluster of 1.36,"
        ),
        _tool("docker buildx version", "buildx", "Docker with buildx"),
        _tool("git --version", "git version", "git"),
        _tool("jq --version", "jq", "jq"),
        _tool("zip -v", "Zip", "zip"),
        _tool("openssl version", "SSL", "openssl"),
        _tool("sed --version", "GNU sed", "GNU's sed"),
        Look(
            "aws sts get-caller-identity --query Arn --output text",
            r"^arn:aws[\w-]*:(?:sts|iam)::\d+:(?:assumed-role|user)/",
            "AWS does not know you as a role or a user: `aws configure sso`, and not as root, whom "
            "Kubernetes does not let in",
        ),
    ),
    "bootstrap": (
        Look(
            "aws s3api get-bucket-versioning --bucket $STATE --query Status --output text",
            "^Enabled",
            "the bucket of the state is not there, or keeps no versions: repeat the commands of step 1",
        ),
        Look(
            "aws s3api get-bucket-versioning --bucket $ARTEFACTS --query Status --output text",
            "^Enabled",
            "the bucket of artefacts is not there, or keeps no versions: repeat the commands of step 1",
        ),
        _quota("lambda", "L-B99A9384", 100, "functions that run at once"),
        _quota("ec2", "L-1216C47A", 60, "virtual processors on demand"),
        _quota("ec2", "L-34B43A08", 30, "virtual processors on Spot"),
        _quota("ec2", "L-0263D0A3", 5, "elastic addresses"),
    ),
    "global": (
        Look(
            "aws route53 list-hosted-zones-by-name --dns-name $ZONE "
            "--query HostedZones[0].Name --output text",
            # The first zone from this name on, which may be somebody else's.
            r"^$ZONE\.\s",
            "there is no zone: apply environments/global",
        ),
        Look(
            "curl -sS 'https://dns.google/resolve?name=$ZONE&type=NS'",
            r"\bawsdns\b|\bawsdns-",
            "the world does not ask AWS about $ZONE: enter `terraform output name_servers` at the registrar "
            "and wait, for step 4 needs certificates, which are given to whoever holds the zone",
        ),
        Look(
            "aws apigateway get-account --query cloudwatchRoleArn --output text",
            "^arn:",
            "API Gateway has no role for its logs here, so no stage can be made: apply environments/global",
        ),
    ),
    "images": (
        Look(
            "aws ecr describe-images --repository-name exchange --query "
            "'sort_by(imageDetails,&imagePushedAt)[-1].imageManifestMediaType' --output text",
            r"(?:docker\.distribution\.manifest\.v2|oci\.image\.manifest)",
            "the newest image is not there, or is a list with an attestation, which Lambda refuses: build it "
            "with --provenance=false --sbom=false",
        ),
        Look(
            "aws s3api head-object --bucket $ARTEFACTS --key rotation.zip "
            "--query ContentLength --output text",
            r"^\d+",
            "the rotation function is not in the bucket of artefacts: the last commands of step 3",
        ),
    ),
    "region": (
        Look(
            "aws eks describe-cluster --name $NAME --query cluster.status --output text",
            "^ACTIVE",
            "the cluster is not up: apply again, and read what it says first",
        ),
        Look(
            "aws kafka list-clusters-v2 --cluster-name-filter $NAME "
            "--query ClusterInfoList[0].State --output text",
            "^ACTIVE",
            "the brokers are not up: `aws kafka list-cluster-operations-v2` says why",
        ),
        Look(
            "aws rds describe-db-clusters --db-cluster-identifier $NAME "
            "--query DBClusters[0].Status --output text",
            "^available",
            "the database is not up: `aws rds describe-events --source-type db-cluster` says why",
        ),
        _REDIS_IS_ON,
        Look(
            # Without a kind of key it names those of RSA alone.
            "aws acm list-certificates --certificate-statuses ISSUED --includes keyTypes=EC_prime256v1 "
            "--query CertificateSummaryList[].DomainName --output text",
            r"(?:^|\s)$HOST(?:\s|$)",
            "the certificate is not valid: are the zone's name servers entered at the registrar?",
        ),
    ),
    "platform": (
        Look(
            f"{_KUBE} deployment -n kube-system aws-load-balancer-controller "
            "-o jsonpath={.status.availableReplicas}",
            "[1-9]",
            "no controller of load balancers runs: apply platform; its log names what it lacks",
        ),
        Look(
            f"{_KUBE} clustersecretstore aws-secrets-manager -o jsonpath={{.status.conditions[0].status}}",
            "True",
            "External Secrets cannot read Secrets Manager: does its role stand in "
            "`aws eks list-pod-identity-associations`?",
        ),
        Look(
            f"{_KUBE} crd servicemonitors.monitoring.coreos.com -o name",
            "servicemonitors",
            "nobody knows ServiceMonitor, so the chart cannot be installed: apply platform",
        ),
        Look(
            f"{_KUBE} apiservice v1beta1.custom.metrics.k8s.io "
            "-o 'jsonpath={.status.conditions[?(@.type==\"Available\")].status}'",
            "True",
            "pods have no metrics of their own to scale by: the adapter does not reach Prometheus",
        ),
        Look(
            f"{_KUBE} configmap database-ca -n exchange -o name",
            "database-ca",
            "the database's authorities are missing: the last command of step 5",
        ),
    ),
    "exchange": (
        _SECRETS_ARE_COPIED,
        Look(
            f"{_KUBE} pod -n exchange -l app.kubernetes.io/name=engine "
            "-o jsonpath={.items[*].status.phase}",
            "^Running Running",
            "there are not two engines: `kubectl describe pod -n exchange` (room on their pool? topics?)",
        ),
        Look(
            f"{_KUBE} hpa -n exchange -o "
            "'jsonpath={.items[*].status.conditions[?(@.type==\"ScalingActive\")].status}'",
            "^True True True$",
            "a service is not scaled: `kubectl describe hpa -n exchange` says which metric it does not get",
        ),
        Look(
            f"{_KUBE} deployment -n opentelemetry collector -o jsonpath={{.status.availableReplicas}}",
            "[1-9]",
            "nothing goes to CloudWatch, so no alarm can ring: `kubectl describe pod -n opentelemetry`",
        ),
        Look(
            f"{_KUBE} ingress -n exchange -o jsonpath={{.items[0].status.loadBalancer.ingress[0].hostname}}",
            r"\.elb\.",
            "there is no load balancer: `kubectl describe ingress -n exchange` repeats what AWS refused",
        ),
    ),
    "names": (
        Look(
            "curl -sS -o /dev/null -w %{http_code} https://$HOST/readyz",
            "^200",
            "the exchange does not answer under its name: 404 means that no rule knows the host, 503 that a "
            "part is not ready (`curl https://$HOST/readyz`), no answer that the second apply is missing",
        ),
        Look(
            "aws cloudwatch describe-alarms --state-value ALARM "
            "--query MetricAlarms[].AlarmName --output text",
            _NOTHING,
            "an alarm rings: its description names the page of docs/runbooks",
        ),
        Look(
            "aws sesv2 get-account --query ProductionAccessEnabled --output text",
            "^True",
            "mail goes to nobody but yourselves: SES is in its sandbox (step 1), so new users get no code",
        ),
    ),
    "release": (
        Look(
            f"{_KUBE} pod -n exchange -l app.kubernetes.io/part-of=exchange "
            "--field-selector=status.phase=Running -o jsonpath={.items[*].spec.containers[*].image}",
            r"^(?:\S+@$DIGEST(?:\s+|$))+$",
            "a pod runs another image than $DIGEST: `kubectl rollout status -n exchange` says why",
        ),
        *(
            Look(
                f"aws lambda get-function --function-name $NAME-{function} "
                "--query Code.ImageUri --output text",
                r"@$DIGEST\s*$",
                f"the function $NAME-{function} runs another image than $DIGEST: names.tfvars, and apply",
            )
            for function in ("sender", "history")
        ),
    ),
    "credentials": (
        _REDIS_IS_ON,
        _SECRETS_ARE_COPIED,
        Look(
            "aws secretsmanager describe-secret --secret-id $NAME/redis "
            "--query RotationEnabled --output text",
            "^True",
            "nothing rotates the password of Redis: `rotation_package` in leading.tfvars, and apply",
        ),
        Look(
            "curl -sS -o /dev/null -w %{http_code} https://$HOST/readyz",
            "^200",
            "a part of the exchange is not ready since the rotation: `curl https://$HOST/readyz` names it",
        ),
    ),
    "delivery": (
        Look(
            "aws codeconnections list-connections "
            '--query "Connections[?ConnectionName==`exchange`].ConnectionStatus" --output text',
            "^AVAILABLE",
            "the connection to the repository was not accepted: in the console, Developer Tools, Connections",
        ),
        Look(
            "aws codebuild list-projects --query projects --output text",
            r"exchange-image[\s\S]*exchange-plan|exchange-plan[\s\S]*exchange-image",
            "the projects are not there: apply environments/global with delivery.tfvars",
        ),
        Look(
            "aws s3api list-objects-v2 --bucket $STATE --prefix values/production/ "
            "--query Contents[].Key --output text",
            "leading.tfvars",
            "the values are not beside the states: without them every nightly comparison fails",
        ),
    ),
    "standby": (
        Look(
            "aws rds describe-global-clusters --query "
            "'GlobalClusters[].GlobalClusterMembers[?IsWriter==`false`][].DBClusterArn' --output text",
            r":cluster:$NAME(?:\s|$)",
            "the users' tables are not copied here: `global_database` in global.tfvars, and `multi_region`",
        ),
        Look(
            "aws apigatewayv2 get-domain-names --query Items[].DomainName --output text",
            r"(?:^|\s)reads-$AWS_REGION\.$HOST(?:\s|$)",
            "nobody reads here: `image_digest` in standby.tfvars, and the image in this region's registry",
        ),
        Look(
            "aws secretsmanager describe-secret --secret-id exchange-production/database "
            "--query PrimaryRegion --output text",
            r"^[a-z]+-[a-z]+-\d",
            "the owner's login is not here, and a failover could not open the tables: copy the secret",
        ),
    ),
    "copies": (
        *(
            Look(
                f"aws s3api get-bucket-replication --bucket $NAME-$ACCOUNT-$AWS_REGION-{kind} "
                "--query ReplicationConfiguration.Rules[0].Status --output text",
                "^Enabled",
                f"nothing of {kind} is copied: `storage_replica` in joined.tfvars, and apply",
            )
            for kind in ("archive", "snapshots")
        ),
        *(
            Look(
                f"aws dynamodb describe-table --table-name $NAME-{kind} "
                "--query Table.Replicas[].ReplicaStatus --output text",
                "^ACTIVE",
                f"{kind} have no copy for the other region to read: `history_replicas` in joined.tfvars",
            )
            for kind in ("candles", "trades")
        ),
    ),
    "gone": (
        Look(
            "aws eks list-clusters --query \"clusters[?@=='$NAME']\" --output text",
            _NOTHING,
            "the cluster is still there: destroy again, and read what it says first",
        ),
        Look(
            "aws elbv2 describe-load-balancers --query "
            "\"LoadBalancers[?LoadBalancerName=='$NAME'].LoadBalancerName\" --output text",
            _NOTHING,
            "the load balancer is still there, with nobody to take it away: "
            "`aws elbv2 delete-load-balancer`, then its security groups (tag elbv2.k8s.aws/cluster), then "
            "destroy again",
        ),
        Look(
            "aws ec2 describe-volumes --filters Name=tag:ebs.csi.aws.com/cluster,Values=true "
            "Name=status,Values=available --query Volumes[].VolumeId --output text",
            _NOTHING,
            "disks of pods are left, and cost: `aws ec2 delete-volume` for each",
        ),
        Look(
            "aws ec2 describe-addresses --query Addresses[?AssociationId==null].PublicIp --output text",
            _NOTHING,
            "addresses are left that nobody uses, and cost: `aws ec2 release-address` for each",
        ),
        Look(
            "aws rds describe-db-clusters --query "
            "\"DBClusters[?starts_with(DBClusterIdentifier, '$NAME')].DBClusterIdentifier\" --output text",
            _NOTHING,
            "a database is still there: destroy again; one that was restored is none of Terraform's",
        ),
    ),
}
