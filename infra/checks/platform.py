"""What the charts ask of a cluster, against what is there before them (infra/platform-kinds.json)."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

__all__ = ["Platform", "architectures_built", "architectures_needed", "installed_charts"]

_LIST: Final = Path(__file__).resolve().parents[1] / "platform-kinds.json"
# Groups that every Kubernetes serves: the first ones by name, the others by their end.
_BUILT_IN: Final = frozenset({"", "apps", "autoscaling", "batch", "policy"})
_BUILT_IN_END: Final = re.compile(r"^(?!.*\bmetrics\.)[a-z.]+\.k8s\.io$")
# "c8g.large": a family's letters, its generation, what is special about it; a "g" among these is Graviton.
_INSTANCE: Final = re.compile(r'"([a-z]+)(\d+)([a-z]*)\.(?:nano|micro|small|medium|\d*x?large|metal)"')


@dataclass(frozen=True)
class Platform:
    """What there is: custom kinds, classes of Ingress, aggregated APIs, objects, and namespaces of charts."""

    kinds: frozenset[str] = frozenset()
    ingress_classes: frozenset[str] = frozenset()
    apis: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()
    namespaces: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, charts: Iterable[str], path: Path = _LIST) -> "Platform":
        """What these charts bring. Raises KeyError on a chart that the list does not know."""
        told = json.loads(path.read_text(encoding="utf-8"))
        chosen = {name: told["charts"][name] for name in charts}

        def all_of(key: str) -> frozenset[str]:
            return frozenset(each for chart in chosen.values() for each in chart.get(key, []))

        return cls(
            all_of("kinds"),
            all_of("ingressClasses"),
            all_of("apis"),
            frozenset(told["objects"]),
            {name: chart["namespace"] for name, chart in chosen.items()},
        )

    @classmethod
    def listed(cls) -> "Platform":
        """All that the list knows."""
        return cls.of(json.loads(_LIST.read_text(encoding="utf-8"))["charts"])

    def lacks(self, objects: Iterable[dict[str, Any]]) -> list[str]:
        """What rendered objects need of the cluster and do not find there, in words."""
        own = list(objects)
        names = {_name(each) for each in own} | self.objects
        return sorted({problem for each in own for problem in self._lacks(each, names)})

    def _lacks(self, found: dict[str, Any], names: Iterable[str]) -> Iterator[str]:
        kind, spec = f"{found['apiVersion']}/{found['kind']}", found.get("spec") or {}
        where = f"{found['kind']} {found['metadata']['name']}"
        group = found["apiVersion"].rpartition("/")[0]
        if group not in _BUILT_IN and not _BUILT_IN_END.match(group) and kind not in self.kinds:
            yield f"{where}: nothing installs {kind}"
        if found["kind"] == "Ingress" and spec["ingressClassName"] not in self.ingress_classes:
            yield f"{where}: nothing serves the class {spec['ingressClassName']}"
        if found["kind"] == "ExternalSecret":
            store = spec["secretStoreRef"]
            wanted = f"{found['apiVersion']}/{store['kind']}/{store['name']}"
            if wanted not in names:
                yield f"{where}: nobody makes {wanted}"
        if found["kind"] == "HorizontalPodAutoscaler":
            needed = {"Resource": "metrics.k8s.io", "Pods": "custom.metrics.k8s.io"}
            for metric in spec["metrics"]:
                if needed[metric["type"]] not in self.apis:
                    yield f"{where}: nothing serves {needed[metric['type']]}"
        pod = spec.get("template", {}).get("spec", {})
        for volume in pod.get("volumes", []):
            if "configMap" in volume and f"v1/ConfigMap/{volume['configMap']['name']}" not in names:
                yield f"{where}: nobody makes the ConfigMap {volume['configMap']['name']}"


def installed_charts(texts: Iterable[str]) -> set[str]:
    """Charts of the list that commands or Terraform install (`helm install NAME REPO/CHART`, `chart = `)."""
    known = set(json.loads(_LIST.read_text(encoding="utf-8"))["charts"])
    found: set[str] = set()
    for text in texts:
        found |= set(
            re.findall(r"^helm (?:install|upgrade --install) \S+ [\w.-]+/([\w-]+)", text, re.MULTILINE)
        )
        found |= set(re.findall(r'^\s*chart\s*=\s*"(?:[^"/]+/)*([\w-]+)"', text, re.MULTILINE))
        # A map of releases: `external-secrets = {`, `"metrics-server" = {`.
        found |= (
            set(re.findall(r'^\s*"?([a-z][\w-]+)"?\s*=\s*\{', text, re.MULTILINE))
            if "helm_release" in text
            else set()
        )
    return found & known


def architectures_needed(terraform: Iterable[str]) -> dict[str, str]:
    """Architecture -> where in the Terraform something runs the image on it."""
    needed: dict[str, str] = {}
    for text in terraform:
        for family, generation, special in _INSTANCE.findall(text):
            architecture = "arm64" if "g" in special or family == "a" else "amd64"
            needed.setdefault(architecture, f"{family}{generation}{special}")
        if "aws_eks_fargate_profile" in text:
            needed["amd64"] = "Fargate, which has no Arm"
        for architecture in re.findall(r'architectures\s*=\s*\["(\w+)"\]', text):
            needed.setdefault({"x86_64": "amd64"}.get(architecture, architecture), "Lambda")
    return needed


def architectures_built(documents: Iterable[str]) -> list[tuple[set[str], bool]]:
    """For each `docker buildx build` in documents: its architectures, and whether Lambda takes it.

    Lambda refuses an image whose digest is that of a list with an attestation beside the manifest.
    """
    found = []
    for text in documents:
        for command in re.findall(r"^docker buildx build .*$", text.replace("\\\n", " "), re.MULTILINE):
            platforms = re.search(r"--platform[ =](\S+)", command)
            wanted = {each.removeprefix("linux/") for each in platforms[1].split(",")} if platforms else set()
            plain = "--provenance=false" in command and "--sbom=false" in command
            found.append((wanted, plain))
    return found


def _name(found: dict[str, Any]) -> str:
    return f"{found['apiVersion']}/{found['kind']}/{found['metadata']['name']}"
