"""Properties of two sizes: few examples for every change, many before a release."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

__all__ = ["examples"]


def examples(
    few: int, many: int, *strategies: SearchStrategy[Any], **options: Any
) -> Callable[[Callable[..., None]], Callable[[int], None]]:
    """`given(*strategies)` with `few` examples in `make check` and `make test`, with `many` in `make verify`.

    `options`: of hypothesis' settings.
    """

    def of(holds: Callable[..., None]) -> Callable[[int], None]:
        @pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.thorough)])
        def test(count: int) -> None:
            settings(max_examples=count, deadline=None, **options)(given(*strategies)(holds))()

        test.__name__, test.__module__, test.__doc__ = holds.__name__, holds.__module__, holds.__doc__
        return test

    return of
