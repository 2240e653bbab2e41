"""The lease that the settings name: a file, or an object of Kubernetes."""

from pathlib import Path

from exchange.adapters.files.lease import FileLease
from exchange.ports.world import Lease, LeaseError
from exchange.process.config import Settings, SettingsError

__all__ = ["open_lease"]


def open_lease(settings: Settings) -> Lease:
    """`file:<path>` or `kubernetes:<namespace>/<name>`. Raises SettingsError."""
    kind, _, place = settings.lease.partition(":")
    if kind == "file" and place:
        return FileLease(Path(place))
    if kind == "kubernetes":
        # Its client of HTTP takes a quarter of a second to import.
        from exchange.adapters.kubernetes.lease import KubernetesLease

        try:
            # Both calls of a campaign end before the lease does.
            return KubernetesLease.in_cluster(place, deadline_ms=settings.lease_duration_ms // 3)
        except LeaseError as error:
            raise SettingsError(f"EXCHANGE_LEASE={settings.lease!r}: {error}") from error
    raise SettingsError(
        f"EXCHANGE_LEASE={settings.lease!r} is neither file:<path> nor kubernetes:<namespace>/<name>"
    )
