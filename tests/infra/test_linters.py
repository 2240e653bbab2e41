"""Trivy, and tflint where it has been built: `make infra-test` builds it, a test does not."""

from pathlib import Path

import pytest

from infra.checks import linters


# Half a minute, and `make infra-test` runs it: who changes the Terraform does.
@pytest.mark.thorough
def test_trivy_finds_nothing_without_a_reason() -> None:
    finding = linters.trivy()
    if finding.skipped:
        pytest.skip(f"TRIVY DID NOT RUN: {finding.skipped}")
    assert finding.problems == []


# As long as trivy's, once it is built.
@pytest.mark.thorough
def test_tflint_finds_nothing() -> None:
    if not linters.tflint_is_built():
        pytest.skip("TFLINT DID NOT RUN: it is not built yet; make infra-test builds it")
    assert linters.tflint().problems == []


def test_a_linter_that_takes_too_long_to_build_is_said_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\nexec sleep 30\n", encoding="utf-8")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(linters, "_go_tools", lambda: tmp_path / "bin")
    monkeypatch.setattr(linters, "_BUILD_DEADLINE_S", 0.1)
    finding = linters.tflint()
    assert finding.skipped.endswith("is not built after 0.1 s; the next run goes on")
