"""`python -m infra.dashboards URL --metrics ENDPOINT`: what compose mounts, into Managed Grafana by its API.

The same files (infra/grafana), so a dashboard is changed in one place. Run again after a change: what is
there is replaced. GRAFANA_TOKEN is a service account's token of the role Admin; nothing is kept of it.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
import yaml

__all__ = ["publish"]

_FOLDER: Final = Path(__file__).resolve().parents[1] / "grafana"
_DEADLINE_S: Final = 30.0
_KNOWN_ALREADY: Final = 409


class GrafanaError(Exception):
    """Grafana refused; the message has its words."""


def publish(grafana: httpx.Client, metrics: str, region: str) -> Iterator[str]:
    """Put the source and every dashboard there; a line for each. Raises GrafanaError, httpx.HTTPError.

    `metrics`: the workspace of Managed Prometheus, which Grafana asks as its own role, signed for `region`.
    """
    source = _source(metrics, region)
    answer = grafana.post("/api/datasources", json=source)
    if answer.status_code == _KNOWN_ALREADY:
        answer = grafana.put(f"/api/datasources/uid/{source['uid']}", json=source)
    yield _said(answer, f"source {source['name']}")
    for path in sorted((_FOLDER / "dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        body = {"dashboard": {**board, "id": None}, "overwrite": True, "message": path.name}
        yield _said(grafana.post("/api/dashboards/db", json=body), f"dashboard {board['title']}")


def _source(metrics: str, region: str) -> dict[str, Any]:
    """As compose has it, but for where it is and how it is asked."""
    text = (_FOLDER / "provisioning" / "datasources" / "prometheus.yml").read_text(encoding="utf-8")
    (known,) = yaml.safe_load(text)["datasources"]
    signed = {"httpMethod": "POST", "sigV4Auth": True, "sigV4AuthType": "default", "sigV4Region": region}
    return {**known, "url": metrics.rstrip("/"), "access": "proxy", "jsonData": signed}


def _said(answer: httpx.Response, what: str) -> str:
    if answer.is_error:
        raise GrafanaError(f"{what}: {answer.status_code} {answer.text[:300]}")
    return f"{what} is there"


def main(
    url: Annotated[
        str, typer.Argument(help="The workspace, https://g-....grafana-workspace.<region>.amazonaws.com")
    ],
    metrics: Annotated[str, typer.Option(help="Managed Prometheus: output `platform`, prometheus_endpoint")],
    region: Annotated[str, typer.Option(envvar="AWS_REGION")],
) -> None:
    """Publish; exit 1 with Grafana's words when it refuses."""
    headers = {"Authorization": f"Bearer {os.environ['GRAFANA_TOKEN']}"}
    with httpx.Client(base_url=url, headers=headers, timeout=_DEADLINE_S) as grafana:
        try:
            for line in publish(grafana, metrics, region):
                typer.echo(line)
        except (GrafanaError, httpx.HTTPError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
