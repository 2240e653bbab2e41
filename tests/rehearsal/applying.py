"""One configuration of `roots/`: applied, planned again, destroyed."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import httpx
from moto.s3.models import FakeBucket

from infra.checks.terraform import ROOT
from tests.emulator import start_emulator
from tests.rehearsal.provider import Provider

__all__ = ["FORGOTTEN", "NOT_APPLIED", "ROOTS", "Rehearsal", "RehearsalError", "emulated", "rehearse"]

ROOTS: Final = sorted(Path(__file__).with_name("roots").glob("*.tf"))
_PROVIDER: Final = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                  = "eu-central-1"
  access_key              = "test"
  secret_key              = "test"
  s3_use_path_style       = true
  skip_metadata_api_check = true
  # With an account known, the tags of a bucket are asked of a host that begins with its number.
  skip_credentials_validation = %s
  skip_requesting_account_id  = %s
}
"""
_DEADLINE_S: Final = 600
# What the emulator does not give back as it was told, so the next plan wants it: type, attribute -> why.
FORGOTTEN: Final = {
    ("aws_vpc_security_group_ingress_rule", "description"): "a rule that names a group loses its description",
}


# Modules that no root applies, and why.
NOT_APPLIED: Final = {
    **dict.fromkeys(
        (
            "api_gateway", "aurora", "backup", "cost", "delivery", "edge", "exchange", "frontend",
            "http_api", "lake", "msk", "observability", "public_name", "reads", "redis",
            "second_region", "security", "web_acl",
        ),
        "the provider is cut to a few services, for each takes minutes to compile; theirs are not there",
    ),
    "mail": "the emulator answers CreateEmailIdentity with a time that is no number; the provider refuses it",
    "messaging": "in the emulator a queue that is told anything forgets its policy, and is waited for",
    "eks": "no emulator makes nodes, add-ons and identities of pods; make cluster-test has a cluster",
    "platform": "charts into a cluster, by another provider",
}  # fmt: skip


class RehearsalError(Exception):
    """Terraform ended with an error: its own words."""


@dataclass(frozen=True)
class Rehearsal:
    """What became of one root: how many resources there were, and what the next plan would change of them."""

    created: int
    # (type, attribute) -> addresses.
    changes: dict[tuple[str, str], list[str]]


@contextmanager
def emulated() -> Iterator[str]:
    """An empty AWS at this address; with the policies that AWS itself manages, and one fault made good."""
    with ExitStack() as changed:
        changed.enter_context(patch.dict(os.environ, {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}))
        # Who may write logs is looked for in a policy whose principals are taken for objects; "*" is one too.
        changed.enter_context(patch.object(FakeBucket, "_log_permissions_enabled_policy", return_value=True))
        emulator = start_emulator()
        changed.callback(emulator.stop)
        host, port = emulator.get_host_and_port()
        # What an emulator of this process held before is still there.
        httpx.post(f"http://{host}:{port}/moto-api/reset", timeout=30).raise_for_status()
        yield f"http://{host}:{port}"


def rehearse(provider: Provider, emulator_url: str, root: Path, folder: Path) -> Rehearsal:
    """Apply, plan, destroy, in `folder`. Raises RehearsalError."""
    _lay(root, folder)
    terraform = _Terraform(provider, emulator_url, folder / "root")
    terraform.run("init", "-input=false")
    # Whatever an error leaves behind goes with the emulator.
    terraform.run("apply", "-auto-approve", "-input=false")
    created = len(terraform.run("state", "list").splitlines())
    terraform.run("plan", "-input=false", "-out=again")
    plan: dict[str, Any] = json.loads(terraform.run("show", "-json", "again"))
    terraform.run("destroy", "-auto-approve", "-input=false")
    changes: dict[tuple[str, str], list[str]] = {}
    for address, key in _changes(plan):
        changes.setdefault(key, []).append(address)
    return Rehearsal(created, changes)


def _lay(root: Path, folder: Path) -> None:
    """The modules and the root side by side; an older provider may do, for the newest is not here."""
    left_out = shutil.ignore_patterns("tests", ".terraform*")
    shutil.copytree(ROOT / "modules", folder / "modules", ignore=left_out)
    for path in folder.glob("modules/*/versions.tf"):
        text = path.read_text("utf-8").replace(">= 6.69, < 7.0", ">= 6.0, < 7.0")
        path.write_text(text, encoding="utf-8")
    (folder / "root").mkdir()
    text = root.read_text("utf-8")
    without_account = str("bucket" in text).lower()
    provider = _PROVIDER % (without_account, without_account)
    (folder / "root" / "main.tf").write_text(text + provider, encoding="utf-8")


def _changes(plan: dict[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Address, type and attribute of what a plan would change; "" where a whole resource comes or goes."""
    for change in plan.get("resource_changes", []):
        if change["mode"] != "managed" or change["change"]["actions"] == ["no-op"]:
            continue
        before, after = change["change"]["before"], change["change"]["after"]
        if before is None or after is None:
            yield change["address"], (change["type"], "")
            continue
        unknown = change["change"].get("after_unknown") or {}
        for name in sorted({*before, *after, *unknown}):
            if unknown.get(name) is True or before.get(name) != after.get(name):
                yield change["address"], (change["type"], name)


@dataclass(frozen=True)
class _Terraform:
    provider: Provider
    emulator_url: str
    folder: Path

    def run(self, *arguments: str) -> str:
        """What it prints. Raises RehearsalError."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        own = {
            "AWS_ENDPOINT_URL": self.emulator_url,
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "NO_COLOR": "1",
        }
        program = shutil.which("terraform") or "tofu"
        done = subprocess.run(
            [program, *arguments],
            cwd=self.folder, env={**kept, **self.provider.environment, **own},
            capture_output=True, text=True, timeout=_DEADLINE_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RehearsalError(f"terraform {arguments[0]}:\n{done.stderr.strip()[-4_000:]}")
        return done.stdout
