"""docs/deploy.md is typed into shells, all of it, with played programs and an emulator of AWS: nothing stops.

What it finds is what a stranger would find first: a variable that this shell does not have, a folder that is
not the root's, a file that nobody wrote, a state or values of the other region, a bucket that is not there, a
flag, a query, a quote. What AWS itself would say it cannot know.
"""

import contextlib
import os
import pty
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.emulator import start_emulator
from tests.helm.charts import ROOT
from tests.infra.playing import Estate, played
from tests.infra.playing_aws import Aws
from tests.infra.sections import NEW_SHELL, sections

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SECTIONS = sections((ROOT / "docs" / "deploy.md").read_text("utf-8"))
BY_TITLE = {section.title: section for section in SECTIONS}
# Tried with a running exchange (tests/e2e/test_readme.py).
TRIED_ELSEWHERE = "8. First user, first trade"
GLOBAL_PART = "1. Before the leading region's first apply (step 4)"


def shells() -> Iterator[tuple[str, str]]:
    """Each shell's title and all that is typed into it: the steps; every later section, each in a new one.

    Parts of a section go on in its shell; one of them says that it is typed between two steps.
    """
    titles = [section.title for section in SECTIONS]
    place = titles.index(NEW_SHELL)
    steps = [section for section in SECTIONS[:place] if section.title != TRIED_ELSEWHERE]
    script = ""
    for section in steps:
        first, *rest = section.blocks
        if section.title == "4. The region":
            # Where the document says so.
            rest = [BY_TITLE[GLOBAL_PART].script, *rest]
        script += first + "".join(rest)
    yield "the steps", script
    new = BY_TITLE[NEW_SHELL].script
    name, typed = "", ""
    for section in SECTIONS[place + 1 :]:
        if section.title == GLOBAL_PART:
            continue
        if section.text.startswith("### ") and not section.begins_empty:
            typed += section.script
            continue
        if typed not in ("", new):
            yield name, typed
        name, typed = section.title, ("" if section.begins_empty else new) + section.script
    # Staging has gone all these steps too.
    yield name, STAGING + typed


# What the steps have left in staging's folder.
STAGING = """
(
  cd infra/terraform/environments
  grep -v -e multi_region -e database_secret_arn production/leading.tfvars > staging/leading.tfvars
  for folder in staging staging/platform; do terraform -chdir=$folder init -backend-config=backend.hcl; done
  terraform -chdir=staging apply -var-file=leading.tfvars
  terraform -chdir=staging/platform apply -var state={}
)
"""


def certificates(folder: Path) -> str:
    """A bundle as RDS publishes it: several authorities, of which one is wanted."""
    found = ""
    for kind in ("RSA2048", "RSA4096", "ECC384"):
        key, certificate = folder / f"{kind}.key", folder / f"{kind}.pem"
        subject = f"/C=US/O=Amazon Web Services, Inc./CN=Amazon RDS eu-central-1 Root CA {kind} G1"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", subject, "-keyout", str(key), "-out", str(certificate)],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        found += certificate.read_text("utf-8")
    return found


def tree(folder: Path) -> Path:
    """What of the repository the commands read."""
    for name in (
        "infra/terraform/environments",
        "infra/functions",
        "infra/prometheus",
        "helm",
        "web/terminal",
    ):
        shutil.copytree(
            ROOT / name, folder / name, symlinks=True,
            ignore=shutil.ignore_patterns(".terraform*", "backend.hcl", "*.tfstate*"),
        )  # fmt: skip
    shutil.copy(ROOT / "Dockerfile", folder)
    return folder


def typed_in(script: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """A shell on a terminal, at which somebody sits: its exit code, and what stood on the screen."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen, ThreadPoolExecutor(1) as watching:
        seen = watching.submit(shown_on, screen)
        try:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, timeout=200,
                check=False,
            )  # fmt: skip
        finally:
            os.close(theirs)
        return done.returncode, seen.result()


def shown_on(screen: BinaryIO) -> str:
    """All that comes, until nobody holds the other end of the terminal any more (Linux says EIO then)."""
    found = b""
    with contextlib.suppress(OSError):
        while part := screen.read(65_536):
            found += part
    return found.decode("utf-8", "replace")


def test_every_command_of_the_document_goes_in_the_order_in_which_it_stands(tmp_path: Path) -> None:
    for name in ("tree", "programs", "certificates"):
        (tmp_path / name).mkdir()
    root = tree(tmp_path / "tree")
    emulator = start_emulator()
    try:
        host, port = emulator.get_host_and_port()
        estate = Estate(Aws(f"http://{host}:{port}"), root, certificates(tmp_path / "certificates"))
        with played(estate, tmp_path / "programs") as environment:
            for number, (title, script) in enumerate(shells()):
                estate.commit = f"abc{number:04d}"
                code, screen = typed_in(script, root, environment)
                assert code == 0, f"{title}: {screen[-2_000:]}"
        estate.aws.close()
    finally:
        emulator.stop()
    typed = {program for program, *_ in estate.said}
    assert {"aws", "curl", "docker", "helm", "kubectl", "python3", "terraform"} <= typed
    assert len(estate.said) > 150
    names = (root / "infra/terraform/environments/production/names.tfvars").read_text("utf-8")
    assert names.count("BEGIN CERTIFICATE") == 1
