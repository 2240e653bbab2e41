"""Archives in a folder and on S3, logs in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.adapters.aws.s3 import S3Store, S3StoreOptions
from exchange.adapters.files.objects import FolderStore
from exchange.ports.world import ObjectStore


@pytest.fixture(params=["folder", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "store")
        return
    bucket, endpoint = request.getfixturevalue("s3_bucket"), request.getfixturevalue("s3_endpoint")
    opened = S3Store(S3StoreOptions(bucket, "exchange/", endpoint))
    yield opened
    await opened.close()
