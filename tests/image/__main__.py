"""`python -m tests.image`: build the image without a container engine, look inside, write the report."""

import argparse
import datetime
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.helm.charts import ROOT
from tests.image.builder import BUILDAH, SUITE, Builder, BuildError
from tests.image.looking import CHECKS, Image, bytes_of


def run(report: Path) -> int:
    """Returns how many checks failed."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-image-"))
    try:
        builder = Builder(folder)
        base = builder.base()
        base_bytes = bytes_of(
            Path(builder.run("mount", builder.run("from", "--pull=never", *builder.policy, base)))
        )
        print("building every step of the Dockerfile ...", flush=True)
        started_s = time.monotonic()
        config = builder.build(ROOT, base)
        took_s = time.monotonic() - started_s
        print(f"  built in {took_s:.0f} s", flush=True)
        image = Image(builder, config, base_bytes)
        python = image.run("python", "--version").partition(": ")[2]
        lines, failed = _look(image)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    report.mkdir(parents=True, exist_ok=True)
    path = report / f"image-{day}.md"
    path.write_text(_text(day, took_s, python, lines, failed), encoding="utf-8")
    print(f"report: {path}")
    return failed


def _look(image: Image) -> tuple[list[str], int]:
    lines, failed = [], 0
    for check in CHECKS:
        try:
            lines.append(check(image))
        except (AssertionError, BuildError, OSError) as error:
            lines.append(f"**failed** {check.__name__}: {str(error)[:2_000]}")
            failed += 1
        print(f"  {lines[-1]}", flush=True)
    return lines, failed


def _text(day: str, took_s: float, python: str, lines: list[str], failed: int) -> str:
    head = (
        f"# The image, built without a container engine, {day}\n\n"
        f"`make image-test` on {platform.system()} {platform.machine()}, {os.cpu_count()} cores: buildah "
        f"{BUILDAH} with `--isolation chroot`, every step of the Dockerfile in {took_s:.0f} s. Its base was "
        f"not the official image, but Debian {SUITE}'s packages with Debian's {python} under the official "
        "one's paths; not shown here are the official base, arm64 and a registry.\n\n"
        f"**{len(lines) - failed} of {len(lines)} checks passed.**\n\n"
    )
    return head + "".join(f"- {line}\n" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.image", description=__doc__)
    parser.add_argument("--report", type=Path, default=Path("docs/reports"))
    try:
        return run(parser.parse_args().report)
    except BuildError as error:
        print(f"image-test: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
