"""Files that lie beside the packages in a checkout, and inside this one in the wheel (pyproject.toml)."""

from pathlib import Path

__all__ = ["carried_folder"]

_HERE = Path(__file__).resolve().parent


def carried_folder(in_checkout: str, in_wheel: str) -> Path:
    """The folder `in_checkout`, relative to the checkout, or `in_wheel`, relative to this package."""
    installed = _HERE / in_wheel
    return installed if installed.is_dir() else _HERE.parent / in_checkout
