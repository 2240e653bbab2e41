"""What each service account may do: what its role says, and nothing else."""

import pytest

from tests.cluster.api import NAMESPACE, ApiError
from tests.cluster.deploying import Scene
from tests.cluster.release import CommandError

ACCOUNTS = ("order", "market-data", "user", "engine", "projections", "archive", "auditor", "jobs")
_FORBIDDEN = 403
_LEASES = ("coordination.k8s.io", "leases")
# Verb, group, resource, name: the engine's role, word by word.
_ALLOWED = {("get", *_LEASES, "engine-0"), ("patch", *_LEASES, "engine-0")}
_QUESTIONS = (
    *(
        (verb, *_LEASES, "engine-0")
        for verb in ("get", "patch", "update", "delete", "create", "list", "watch")
    ),
    *((verb, *_LEASES, "engine-1") for verb in ("get", "patch")),
    ("list", *_LEASES, ""),
    ("create", *_LEASES, ""),
    *(
        (verb, "", kind, "")
        for kind in ("secrets", "configmaps", "pods")
        for verb in ("get", "list", "create")
    ),
    ("create", "", "pods/exec", ""),
    ("create", "", "serviceaccounts/token", "engine"),
    ("patch", "apps", "deployments", "order"),
    ("patch", "apps", "statefulsets/scale", "engine"),
    ("get", "", "nodes", ""),
    ("create", "rbac.authorization.k8s.io", "rolebindings", ""),
    ("impersonate", "", "users", ""),
)


async def access(scene: Scene) -> list[str]:
    """Every question to every account, by SubjectAccessReview and, for the engine, by its own rules."""
    asked = 0
    for account in ACCOUNTS:
        for question in _QUESTIONS:
            allowed = await _may(scene, account, question)
            wanted = account == "engine" and question in _ALLOWED
            assert allowed is wanted, f"{account} may{'' if allowed else ' not'}: {question}"
            asked += 1
    rules = await _own_rules(scene, "engine")
    beyond = [rule for rule in rules if rule["apiGroups"] != ["authorization.k8s.io"]]
    beyond = [rule for rule in beyond if rule["apiGroups"] != ["authentication.k8s.io"]]
    assert beyond == [
        {
            "verbs": ["get", "patch"],
            "apiGroups": [_LEASES[0]],
            "resources": [_LEASES[1]],
            "resourceNames": ["engine-0"],
        }
    ], beyond
    said = await _can_i(scene, "patch", "leases/engine-0"), await _can_i(scene, "delete", "leases/engine-0")
    assert said == ("yes", "no"), said
    return [
        f"{asked} questions about {len(ACCOUNTS)} accounts: "
        "the engine may get and patch its own Lease, nobody may do anything else"
    ]


async def _may(scene: Scene, account: str, question: tuple[str, str, str, str]) -> bool:
    verb, group, resource, name = question
    resource, _, part = resource.partition("/")
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{NAMESPACE}:{account}",
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{NAMESPACE}",
                "system:authenticated",
            ],
            "resourceAttributes": {
                "namespace": NAMESPACE,
                "verb": verb,
                "group": group,
                "resource": resource,
                "subresource": part,
                "name": name,
            },
        },
    }
    answer = await scene.api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


async def _own_rules(scene: Scene, account: str) -> list[dict[str, list[str]]]:
    own = scene.api.as_account(await scene.api.token_of(account))
    try:
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": NAMESPACE},
        }
        answer = await own.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body)
        with pytest.raises(ApiError) as refused:
            await own.get(f"/api/v1/namespaces/{NAMESPACE}/secrets")
        assert refused.value.code == _FORBIDDEN
        return list(answer["status"]["resourceRules"])
    finally:
        await own.close()


async def _can_i(scene: Scene, verb: str, what: str) -> str:
    """kubectl ends with 1 for a "no", and says it."""
    account = f"system:serviceaccount:{NAMESPACE}:engine"
    try:
        said = await scene.operator.kubectl("auth", "can-i", verb, what, "-n", NAMESPACE, "--as", account)
    except CommandError as error:
        said = str(error)
    return "yes" if said.strip().endswith("yes") else "no"
