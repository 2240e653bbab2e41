"""`python -m infra.delivery REPOSITORY DIGEST`: wait for the registry's scan of an image, and judge it.

Needs Python alone, and the AWS CLI. Exit 0 when nothing critical was found, 1 when something was, or when the
scan failed or did not come.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

__all__ = ["judge", "main"]

_ASKED_TIMES: Final = 60
_ASKED_EVERY_S: Final = 15.0
_CALL_DEADLINE_S: Final = 60
# An image that was scanned is COMPLETE, or ACTIVE where the scanner looks again and again.
_SCANNED: Final = ("ACTIVE", "COMPLETE")
_WAITING: Final = ("IN_PROGRESS", "PENDING", "")
# High ones are told and do not stop a release: most wait for a fix that the distribution has yet to make.
_REFUSED: Final = "CRITICAL"


def main(arguments: list[str], sleep: Callable[[float], None] = time.sleep) -> int:
    """See above for the exit codes."""
    if len(arguments) != 2:
        print("usage: python -m infra.delivery REPOSITORY DIGEST", file=sys.stderr)
        return 1
    for _ in range(_ASKED_TIMES):
        found = _scan(*arguments)
        status = found.get("imageScanStatus", {}).get("status", "")
        if status in _SCANNED:
            code, line = judge(found.get("imageScanFindings", {}).get("findingSeverityCounts", {}))
            print(line)
            return code
        if status not in _WAITING:
            print(f"the scan ended as {status}: {found['imageScanStatus'].get('description', '')}")
            return 1
        sleep(_ASKED_EVERY_S)
    print(f"no scan within {_ASKED_TIMES * _ASKED_EVERY_S / 60:.0f} minutes")
    return 1


def judge(counts: dict[str, int]) -> tuple[int, str]:
    """Exit code and a line for the findings of an image, by severity."""
    told = ", ".join(f"{count} {severity}" for severity, count in sorted(counts.items())) or "nothing"
    return int(counts.get(_REFUSED, 0) > 0), f"the registry's scan found {told}"


def _scan(repository: str, digest: str) -> dict[str, Any]:
    """What the registry says of the image; {} before it knows of a scan. Its errors are printed."""
    done = subprocess.run(
        ["aws", "ecr", "describe-image-scan-findings", "--repository-name", repository,
         "--image-id", f"imageDigest={digest}", "--output", "json"],
        capture_output=True, text=True, timeout=_CALL_DEADLINE_S, check=False,
    )  # fmt: skip
    if done.returncode:
        print(done.stderr.strip(), file=sys.stderr)
        return {}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
