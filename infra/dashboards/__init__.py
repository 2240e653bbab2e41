"""Dashboards into Managed Grafana by its API: `python -m infra.dashboards URL`."""
