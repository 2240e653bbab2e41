"""The check of the order in which things go: it reads Terraform's graph, and can be red."""

from infra.checks.order import PAIRS, edges_of, unordered

DOT = """
digraph G {
  subgraph "cluster_module.a" {
    "module.a.nodes" [label="nodes"];
    "module.a.cluster" [label="cluster"];
  }
  "module.b.way_out" [label="way_out"];
  "alone" [label="alone"];
  "module.a.nodes" -> "module.a.cluster";
  "module.a.cluster" -> "module.b.way_out";
}
"""


def test_what_is_reached_by_others_is_ordered() -> None:
    edges = edges_of(DOT)
    assert edges["module.a.nodes"] == {"module.a.cluster"}
    assert edges["alone"] == set()
    assert unordered(edges, [("module.a.nodes", "module.b.way_out", "they drain")]) == []


def test_what_nothing_orders_is_said_with_its_reason() -> None:
    problems = unordered(
        edges_of(DOT), [("module.b.way_out", "module.a.nodes", "so it is"), ("alone", "gone", "")]
    )
    assert problems == [
        "gone: there is no such resource (infra/checks/order.py)",
        "module.b.way_out may be destroyed after module.a.nodes: so it is",
    ]


def test_each_pair_has_a_reason_and_is_named_once() -> None:
    assert len({(who, needed) for who, needed, _ in PAIRS}) == len(PAIRS) >= 10
    assert all(why for *_, why in PAIRS)
