"""Trivy, and tflint where it has been built: `make infra-test` builds it, a test does not."""

import pytest

from infra.checks import linters


# Half a minute, and `make infra-test` runs it: who changes the Terraform does.
@pytest.mark.thorough
def test_trivy_finds_nothing_without_a_reason() -> None:
    finding = linters.trivy()
    if finding.skipped:
        pytest.skip(f"TRIVY DID NOT RUN: {finding.skipped}")
    assert finding.problems == []


def test_tflint_finds_nothing() -> None:
    if not linters.tflint_is_built():
        pytest.skip("TFLINT DID NOT RUN: it is not built yet; make infra-test builds it")
    assert linters.tflint().problems == []
