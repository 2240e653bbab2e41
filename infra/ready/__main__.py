"""`python -m infra.ready STEP`: look at what a step of docs/deploy.md has left; say in words what is missing.

Needs Python alone, and the programs that the step itself needs. Exit 0 when nothing is missing, 1 with a line
for each thing that is, 2 when there is no such step or a variable is not set.
"""

import os
import re
import shlex
import string
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Final

from infra.ready.looks import STEPS, Look

__all__ = ["lacking", "main"]

_DEADLINE_S: Final = 60


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Print a line for each look of the step; see above for the exit codes."""
    if len(arguments) != 1 or arguments[0] not in STEPS:
        print(f"usage: python -m infra.ready {'|'.join(STEPS)}", file=sys.stderr)
        return 2
    try:
        missing = list(lacking(STEPS[arguments[0]], environment))
    except KeyError as error:
        print(f"{error.args[0]} is not set: see the first lines of docs/deploy.md", file=sys.stderr)
        return 2
    for line in missing:
        print(f"MISSING: {line}")
    if not missing:
        print(f"{arguments[0]}: nothing is missing")
    return int(bool(missing))


def lacking(looks: tuple[Look, ...], environment: Mapping[str, str]) -> Iterator[str]:
    """What is missing, in words. Raises KeyError with the name of a variable that is not set."""
    for look in looks:
        command = [string.Template(word).substitute(environment) for word in shlex.split(look.command)]
        worked, said = _said(command)
        escaped = {name: re.escape(value) for name, value in environment.items()}
        expected = string.Template(look.expected).safe_substitute(escaped)
        if not worked or not re.search(expected, said):
            words = string.Template(look.missing).substitute(environment)
            last = said.strip().splitlines()[-1] if said.strip() else "nothing"
            yield f"{words} (`{command[0]} {command[1]}` said: {last[:200]})"


def _said(command: list[str]) -> tuple[bool, str]:
    """Whether it worked, and its output, or why there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"{type(error).__name__}: {error}"
    return done.returncode == 0, done.stdout if done.returncode == 0 else done.stderr


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
