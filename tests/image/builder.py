"""buildah, built once with Go from its published module, and a base image made of Debian's packages.

No daemon and no runc: `--isolation chroot` runs each step in the new root. Needs Go, mmdebstrap, and root (or
user namespaces with subordinate ids for the user).
"""

import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from infra.checks.versions import base_of
from tests.cluster.build import BuildError, run_go
from tests.helm.charts import ROOT
from tests.helm.programs import cache_folder

__all__ = ["BUILDAH", "BuildError", "Builder"]

BUILDAH: Final = "1.40.1"
_OFFICIAL: Final = base_of((ROOT / "Dockerfile").read_text("utf-8"))
assert _OFFICIAL is not None, "the Dockerfile tells neither Python nor Debian of its base"
# The official base's release of Debian, and what that has beside it: Python with its headers, authorities.
SUITE: Final = _OFFICIAL[1]
_PACKAGES: Final = ("ca-certificates", "python3", "python3-dev", "python3-venv")
_BASE: Final = "localhost/python-base"
_MODULE: Final = Path(__file__).with_name("builder")
_TAGS: Final = "exclude_graphdriver_btrfs containers_image_openpgp exclude_graphdriver_devicemapper"
_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_DEADLINE_S: Final = 3_600
# A network of its own has a loopback that is down, and whoever runs in the image may not raise it.
_WITH_LOOPBACK: Final = """
import fcntl, os, socket, struct, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14s", b"lo", 0x1 | 0x40, b""))
os.execv(sys.argv[1], sys.argv[1:])
"""


class Builder:
    """buildah with a store of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = _program()
        helpers = folder / "helpers"
        helpers.mkdir(parents=True)
        # buildah looks for the program that makes networks, and with the host's network never runs it.
        (helpers / "netavark").symlink_to("/bin/true")
        # More than this machine allows may not be asked for; buildah would.
        limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
        ulimits = [
            f"{name}={':'.join(str(limit) for limit in resource.getrlimit(of))}"
            for name, of in limits.items()
        ]
        (folder / "containers.conf").write_text(
            f"[containers]\ndefault_ulimits = {json.dumps(ulimits)}\n"
            f'[engine]\nhelper_binaries_dir = ["{helpers}"]\n',
            "utf-8",
        )
        (folder / "registries.conf").write_text("unqualified-search-registries = []\n", "utf-8")
        policy = {"default": [{"type": "insecureAcceptAnything"}]}
        (folder / "policy.json").write_text(json.dumps(policy), "utf-8")

    def run(self, *arguments: str, check: bool = True, isolated: bool = False) -> str:
        """What buildah says. Raises BuildError. `isolated`: without the machine's network."""
        verb, *rest = arguments
        command = [
            str(self._program), "--root", str(self._folder / "store"), "--runroot", str(self._folder / "run"),
            "--storage-driver", "vfs", verb, *rest,
        ]  # fmt: skip
        if isolated:
            command = ["unshare", "--net", sys.executable, "-c", _WITH_LOOPBACK, *command]
        environment = {
            **os.environ,
            "CONTAINERS_CONF": str(self._folder / "containers.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self._folder / "registries.conf"),
        }
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_DEADLINE_S, check=False
        )
        if check and done.returncode:
            raise BuildError(f"buildah {verb}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout.strip() if check else f"{done.returncode}: {done.stdout}{done.stderr}".strip()

    @property
    def policy(self) -> Sequence[str]:
        return ("--signature-policy", str(self._folder / "policy.json"))

    def base(self) -> str:
        """The base under the official one's paths; its name."""
        container = self.run("from", "scratch")
        self.run("add", "-q", container, str(_base_tree()), "/")
        path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.run("config", "--env", f"PATH={path}", container)
        self.run("commit", *self.policy, "-q", "--rm", container, _BASE)
        return _BASE

    def build(self, context: Path, base: str) -> dict[str, Any]:
        """Every step of the Dockerfile in `context`; the image's configuration, as Docker keeps it."""
        self.run(
            "build", "--isolation", "chroot", "--network", "host", "--format", "docker", "--pull=never",
            *self.policy, "--build-arg", f"PYTHON_IMAGE={base}", "--build-arg", "COMPILE_DEADLINE_S=3600",
            "--tag", "localhost/exchange", str(context),
        )  # fmt: skip
        inspected: dict[str, Any] = json.loads(self.run("inspect", "--type", "image", "localhost/exchange"))
        config: dict[str, Any] = inspected["Docker"]["config"]
        return config


def _program() -> Path:
    home = cache_folder() / f"buildah-{BUILDAH}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = home / "buildah"
        if not program.exists():
            if shutil.which("go") is None:
                raise BuildError("image-test needs Go 1.24 or newer to build buildah, once")
            print("building buildah once (three minutes of processor) ...", flush=True)
            partial = home / "partial"
            package = "github.com/containers/buildah/cmd/buildah"
            run_go(
                ["build", "-tags", _TAGS, "-ldflags", "-s -w", "-o", str(partial), package],
                home,
                _MODULE,
                900,
            )
            partial.replace(program)
    return program


def _base_tree() -> Path:
    """A root folder of Debian's packages, made once."""
    home = cache_folder() / f"image-base-{SUITE}"
    if home.is_dir():
        return home
    if shutil.which("mmdebstrap") is None:
        raise BuildError("image-test needs mmdebstrap for its base image: apt-get install mmdebstrap")
    print("making a base image of Debian's packages once ...", flush=True)
    partial = home.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    done = subprocess.run(
        [
            "mmdebstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}",
            '--aptopt=APT::Install-Recommends "false"', SUITE, str(partial),
        ],
        capture_output=True, text=True, timeout=_DEADLINE_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BuildError(f"mmdebstrap: {done.stderr[-2000:]}")
    for name in ("python", "python3"):
        (partial / "usr/local/bin" / name).symlink_to("/usr/bin/python3")
    # Packages come the way that they come to this machine: a company's proxy has an authority of its own.
    shutil.copyfile(_AUTHORITIES, partial / _AUTHORITIES.relative_to("/"))
    if Path("/etc/pip.conf").exists():
        shutil.copyfile("/etc/pip.conf", partial / "etc/pip.conf")
    partial.rename(home)
    return home
