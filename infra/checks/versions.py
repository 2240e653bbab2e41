"""When AWS stops to support what the estate asks for: such a version is changed under our feet or costs more.

Red when the end is near, and when a version's end is not known: then somebody looks it up and writes it here.
"""

import datetime
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

__all__ = ["NOTICE_DAYS", "base_ending", "base_of", "ending"]

# How long before the end this is red: a minor version takes a week in staging, and holidays are long.
NOTICE_DAYS: Final = 90

_EKS: Final = "https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html"
_AURORA: Final = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/aurorapostgresql-release-calendar.html"
_MSK: Final = "https://docs.aws.amazon.com/msk/latest/developerguide/supported-kafka-versions.html"
_REDIS: Final = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/engine-versions.html"
_SEARCH: Final = (
    "https://docs.aws.amazon.com/opensearch-service/latest/developerguide/what-is.html#choosing-version"
)
_LAMBDA: Final = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"
_DEBIAN: Final = "https://wiki.debian.org/DebianReleases"
_PYTHON: Final = "https://devguide.python.org/versions/"

# product -> version -> (last day of standard support, the page that says so). No day: none is announced.
_ENDS: Final[dict[str, dict[str, tuple[datetime.date | None, str]]]] = {
    "EKS": {
        "1.34": (datetime.date(2026, 12, 2), _EKS),
        "1.35": (datetime.date(2027, 3, 27), _EKS),
        "1.36": (datetime.date(2027, 8, 2), _EKS),
    },
    "Aurora PostgreSQL": {"17": (datetime.date(2030, 2, 28), _AURORA)},
    "MSK": {"3.9.x.kraft": (None, _MSK)},
    "ElastiCache valkey": {"8": (None, _REDIS)},
    "OpenSearch": {"OpenSearch_2.19": (None, _SEARCH)},
    "Lambda": {"python3.13": (datetime.date(2029, 6, 30), _LAMBDA)},
    # By the security team; what volunteers do afterwards covers not all of it.
    "Debian": {
        "bookworm": (datetime.date(2026, 6, 10), _DEBIAN),
        "trixie": (datetime.date(2028, 8, 9), _DEBIAN),
    },
    "Python": {"3.12": (datetime.date(2028, 10, 31), _PYTHON)},
}


def ending(resources: list[dict[str, Any]], today: datetime.date) -> list[str]:
    """Which resources ask for a version whose support ends within NOTICE_DAYS of `today`, in words."""
    return _ending((each for one in resources for each in _asked(one["type"], one["values"])), today)


def base_of(dockerfile: str) -> tuple[str, str] | None:
    """The image's base: Python's minor version, and the release of Debian; None where it tells neither."""
    found = re.search(r"(?m)^ARG PYTHON_IMAGE=python:(\d+\.\d+)[\d.]*-slim-(\w+)$", dockerfile)
    return (found[1], found[2]) if found else None


def base_ending(dockerfile: str, today: datetime.date) -> list[str]:
    """The same of the image's base."""
    base = base_of(dockerfile)
    if base is None:
        return ["the base of the image is not told by its version and its Debian (ARG PYTHON_IMAGE)"]
    return _ending(zip(("Python", "Debian"), base, strict=True), today)


def _ending(asked: Iterable[tuple[str, str]], today: datetime.date) -> list[str]:
    problems = set()
    for product, version in asked:
        known = _ENDS[product].get(version)
        if known is None:
            problems.add(f"{product} {version}: nobody has looked up when its support ends (versions.py)")
            continue
        end, source = known
        if end is not None and end - today <= datetime.timedelta(days=NOTICE_DAYS):
            problems.add(f"{product} {version}: standard support ends on {end} ({source})")
    return sorted(problems)


def _asked(kind: str, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    match kind:
        case "aws_eks_cluster":
            yield "EKS", values["version"]
        case "aws_rds_cluster":
            yield "Aurora PostgreSQL", values["engine_version"].split(".")[0]
        case "aws_msk_cluster":
            yield "MSK", values["kafka_version"]
        case "aws_elasticache_replication_group":
            yield f"ElastiCache {values['engine']}", values["engine_version"].split(".")[0]
        case "aws_opensearch_domain":
            yield "OpenSearch", values["engine_version"]
        case "aws_lambda_function" if values.get("runtime"):
            yield "Lambda", values["runtime"]
