"""helm and kubectl against the control plane, as an operator would use them."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.api import NAMESPACE
from tests.helm import programs
from tests.helm.charts import CHART, values_arguments

RELEASE = "exchange"
_VALUES = Path(__file__).with_name("values.yaml")
_DEADLINE_S = 180.0


class CommandError(Exception):
    """What the program said when it failed."""


@dataclass(frozen=True)
class Operator:
    """Whoever holds this kubeconfig; helm keeps its files in `folder`."""

    kubeconfig: Path
    folder: Path

    async def helm(self, *arguments: str, namespace: str = NAMESPACE) -> str:
        """Run helm on the release's namespace; its output. Raises CommandError."""
        return await self._run(programs.helm(), *arguments, "--namespace", namespace)

    async def kubectl(self, *arguments: str) -> str:
        """Run kubectl; its output. Raises CommandError."""
        return await self._run(programs.kubectl(), *arguments)

    async def deploy(self, *more: str) -> str:
        """`helm upgrade --install` with production's values, waiting until everything is ready."""
        return await self.helm(
            "upgrade", "--install", RELEASE, str(CHART), *values_arguments("production"),
            "--values", str(_VALUES), "--wait", "--timeout", "150s", *more,
        )  # fmt: skip

    async def _run(self, program: Path, *arguments: str) -> str:
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HELM_CACHE_HOME": str(self.folder)}
        process = await asyncio.create_subprocess_exec(
            str(program),
            *arguments,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_DEADLINE_S):
                output, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise CommandError(f"{program.name} {arguments[0]} took more than {_DEADLINE_S:g} s") from None
        if process.returncode != 0:
            raise CommandError(
                f"{program.name} {' '.join(arguments[:3])}: {errors.decode()}{output.decode()}"
            )
        return output.decode()
