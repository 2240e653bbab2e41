"""How a client of AWS is made: its region under either of the names that AWS's own programs use."""

import os
from typing import Any

import boto3
from botocore.config import Config

__all__ = ["connect", "region"]


def region() -> str | None:
    """Where this process is; None leaves it to boto3's own files.

    EKS and Lambda set both. botocore reads AWS_DEFAULT_REGION alone, every newer program AWS_REGION,
    and whoever sets one of them by hand sets the latter.
    """
    return os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or None


def connect(service: str, *, config: Config, endpoint_url: str | None = None) -> Any:
    """A client of `service`. Credentials come from where boto3 looks for them; nothing is sent yet.

    Raises `botocore.exceptions.NoRegionError` where nobody has said where we are.
    """
    return boto3.client(service, region_name=region(), endpoint_url=endpoint_url, config=config)
