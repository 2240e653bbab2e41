"""The object store that the settings name: a folder or a bucket."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exchange.adapters.files.objects import FolderStore
from exchange.ports.world import ObjectStore
from exchange.process.config import Settings, SettingsError

if TYPE_CHECKING:
    from exchange.adapters.aws.s3 import S3Store

__all__ = ["open_object_store"]

_S3: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{2,62})(?:/([A-Za-z0-9._/-]*))?", re.ASCII)


@contextlib.asynccontextmanager
async def open_object_store(settings: Settings) -> AsyncIterator[ObjectStore]:
    """`folder:<path>`, `s3://bucket/prefix`, or "" for the data folder. Raises SettingsError."""
    store = _store_of(settings)
    try:
        yield store
    finally:
        await store.close()


def _store_of(settings: Settings) -> "FolderStore | S3Store":
    place = settings.object_store
    if not place:
        return FolderStore(settings.data_dir)
    if place.startswith("folder:") and len(place) > len("folder:"):
        return FolderStore(Path(place.removeprefix("folder:")))
    match = _S3.fullmatch(place)
    if match is None:
        raise SettingsError(f"object_store={place!r} is neither folder:<path> nor s3://<bucket>/<prefix>")
    # boto3 takes a third of a second to import, and an engine that starts again is waited for.
    from exchange.adapters.aws.s3 import S3Store, S3StoreOptions

    prefix = (match[2] or "").strip("/")
    return S3Store(
        S3StoreOptions(
            bucket=match[1],
            prefix=f"{prefix}/" if prefix else "",
            endpoint_url=settings.s3_endpoint_url,
            kms_key_id=settings.s3_kms_key_id,
            deadline_ms=settings.object_store_deadline_ms,
        )
    )
