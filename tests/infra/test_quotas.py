"""The quotas in docs/deploy.md are what the looks ask for, and enough for what the Terraform makes."""

import math
import re
from typing import Final

import pytest

from infra.ready.looks import STEPS
from tests.helm.charts import ROOT

TERRAFORM = ROOT / "infra" / "terraform"
DEPLOY = (ROOT / "docs" / "deploy.md").read_text("utf-8")
# Processors of a size, whatever the family of Graviton (https://aws.amazon.com/ec2/instance-types/).
PROCESSORS: Final = {"medium": 1, "large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16}
ZONES = 3
ON_DEMAND, SPOT, ADDRESSES = "L-1216C47A", "L-34B43A08", "L-0263D0A3"


def table() -> dict[str, tuple[int, int]]:
    """Code -> what the default and ten times need."""
    rows = re.findall(r"(?m)^\|[^|]+\|[^|]+\| (\d+)[^|]*\| (\d+) \| \w+ (L-\w+) \|$", DEPLOY)
    return {code: (int(needed), int(tenfold)) for needed, tenfold, code in rows}


def sizes(text: str) -> dict[str, tuple[int, int]]:
    """Pool -> processors of its largest machine, and how many machines there may be."""
    found = {}
    for pool in ("engine", "base", "stateless"):
        types = re.search(rf"{pool}_instance_types\s*=\s*(?:optional\(list\(string\), )?\[([^\]]*)\]", text)
        nodes = re.search(rf"{pool}_nodes\s*=.*\bmax = (\d+)", text)
        if types and nodes:
            kinds = re.findall(r'"\w+\.(\w+)"', types[1])
            found[pool] = (max(PROCESSORS[kind] for kind in kinds), int(nodes[1]))
        elif nodes:
            found[pool] = (0, int(nodes[1]))
    return found


def processors(pools: dict[str, tuple[int, int]], *names: str) -> int:
    """As many as there may be at once: each zone has a group of its own, rounded up."""
    return sum(pools[name][0] * math.ceil(pools[name][1] / ZONES) * ZONES for name in names)


DEFAULT = sizes((TERRAFORM / "modules" / "exchange" / "variables.tf").read_text("utf-8"))
STAGING = sizes((TERRAFORM / "environments" / "staging" / "main.tf").read_text("utf-8"))
TENFOLD = {
    pool: (processors or DEFAULT[pool][0], count)
    for pool, (processors, count) in (
        DEFAULT | sizes((TERRAFORM / "environments" / "production" / "ten-times.tfvars").read_text("utf-8"))
    ).items()
}


def test_the_document_asks_for_what_the_looks_look_for() -> None:
    asked = {
        match[1]: int(match[2])
        for look in STEPS["bootstrap"]
        if (match := re.search(r"--quota-code (L-\w+) --desired-value (\d+)", look.missing))
    }
    assert {code: needed for code, (needed, _) in table().items() if code != ADDRESSES} == {
        code: least for code, least in asked.items() if code != ADDRESSES
    }
    # A fresh account's five are enough.
    assert table()[ADDRESSES][0] < asked[ADDRESSES]


@pytest.mark.parametrize(("code", "pools"), [(ON_DEMAND, ("engine", "base")), (SPOT, ("stateless",))])
def test_it_is_enough_for_the_largest_that_the_pools_may_be(code: str, pools: tuple[str, ...]) -> None:
    needed, tenfold = table()[code]
    assert set(DEFAULT) == {"engine", "base", "stateless"}
    beside = 0 if code == SPOT else processors(STAGING, "engine", "base")
    assert processors(DEFAULT, *pools) + beside <= needed
    assert processors(TENFOLD, *pools) <= tenfold
    # And not so much that somebody at AWS asks why.
    assert needed < 2 * processors(DEFAULT, *pools)
