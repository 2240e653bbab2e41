"""What the Prometheus operator makes of the ServiceMonitor leaves our metrics the labels that they have."""

import re

from tests.helm.charts import objects
from tests.helm.test_settings import SOURCES

# What the operator and Prometheus give every target of a ServiceMonitor: the first is the port's name.
OF_TARGETS = {"endpoint", "namespace", "service", "pod", "container", "job", "instance"}
_METRIC = re.compile(
    r'(?:Counter|Gauge|Histogram)\(\s*"exchange_\w+",(?:\s*f?"[^"]*")+,\s*[\[(]([^\])]*)[\])]'
)


def labels() -> set[str]:
    """Every label of a metric in the code."""
    return {
        name
        for source in SOURCES
        for named in _METRIC.findall(source)
        for name in re.findall(r'"(\w+)"', named)
    }


def test_the_labels_of_the_code_are_found() -> None:
    assert {"endpoint", "code", "log", "status", "sender"} <= labels()


def test_no_label_of_ours_is_taken_by_a_target() -> None:
    """Where both have one the target's stays, and ours is called exported_...: no alert would find it."""
    monitor = objects("production", "ServiceMonitor")["exchange"]["spec"]
    given = OF_TARGETS | {re.sub(r"\W", "_", name) for name in monitor["targetLabels"]}
    for endpoint in monitor["endpoints"]:
        assert not endpoint.get("honorLabels"), "a page would decide what pod and job it is from"
        dropped = {
            each["regex"] for each in endpoint.get("relabelings", []) if each["action"].lower() == "labeldrop"
        }
        assert labels() & (given - dropped) == set()
