"""Files of the wheel that no package holds: the web terminal, the gateway's template (local/carried.py)."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

_HERE = Path(__file__).resolve().parent
# In the checkout -> inside the package `local`.
_CARRIED = {"web/terminal": "web/terminal", "infra/nginx": "gateway", "infra/prometheus": "prometheus"}


class BuildWithFiles(build_py):
    """Copies them where `local.carried` looks for them."""

    def run(self) -> None:
        """Build as ever, then copy."""
        super().run()
        for source, target in _CARRIED.items():
            shutil.copytree(_HERE / source, Path(self.build_lib, "local", target), dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithFiles})
