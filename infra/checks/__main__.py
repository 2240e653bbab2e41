"""`python -m infra.checks`: format, validity, tests, rules and linters of infra/terraform, and what ran."""

import datetime
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from rich.console import Console

from infra.checks.iam import Iam
from infra.checks.judge import judged
from infra.checks.linters import LINTERS
from infra.checks.order import PAIRS, edges_of, unordered
from infra.checks.terraform import ROOT, Missing, Outcome, Terraform, folders
from infra.checks.versions import base_ending
from infra.schema.install import install

# Two at once: each Terraform keeps about one core busy.
_WORKERS = 2
# All of one region: what its modules need of each other is seen nowhere else.
_REGION = "modules/exchange"
_OUT = Console(soft_wrap=True, highlight=False)


def check(
    schema: Annotated[str, typer.Option(help="auto, real or published")] = "auto",
    only: Annotated[list[str] | None, typer.Option(help="a folder, e.g. modules/aurora")] = None,
    linters: Annotated[bool, typer.Option(help="run tflint and trivy too")] = True,
) -> None:
    """Check the Terraform; exit 1 if anything is wrong, 2 if it could not be checked."""
    try:
        terraform = Terraform.find(schema)
    except Missing as missing:
        _OUT.print(f"[bold red]NOT CHECKED[/]: {missing}")
        sys.exit(2)
    _OUT.print(f"{terraform.version()}, with {terraform.schema}")
    dockerfile = (ROOT.parents[1] / "Dockerfile").read_text(encoding="utf-8")
    failed = _report("the image's base", base_ending(dockerfile, datetime.date.today()))
    failed |= _report("fmt -check", [f"not formatted: {name}" for name in terraform.unformatted()])
    passed, iam = 0, Iam.read(install().iam)
    with terraform.copy() as tree, ThreadPoolExecutor(_WORKERS) as pool:
        for outcome in pool.map(lambda folder: terraform.check(tree, folder), only or folders()):
            failed |= _report_folder(outcome, iam)
            passed += outcome.passed
        if only is None or _REGION in only:
            label = f"{_REGION}: the order of a destroy, {len(PAIRS)} pairs"
            failed |= _report(label, unordered(edges_of(terraform.graph(tree, _REGION))))
    for linter in LINTERS if linters else ():
        finding = linter()
        if finding.skipped:
            _OUT.print(f"[bold yellow]NOT RUN[/] {finding.name}: {finding.skipped}")
        else:
            failed |= _report(finding.name, finding.problems)
    _OUT.print(f"{passed} run blocks passed{', but something failed' if failed else ''}")
    sys.exit(1 if failed else 0)


def _report_folder(outcome: Outcome, iam: Iam) -> bool:
    label = (
        f"{outcome.folder}: validate, {outcome.passed} runs, rules over {len(outcome.resources)} resources"
    )
    problems = [*outcome.errors, *judged(outcome, iam, datetime.date.today())]
    if not outcome.ok and not problems:
        problems = ["it has no passing test"]
    return _report(label, problems)


def _report(label: str, problems: list[str]) -> bool:
    _OUT.print(f"{'[bold red]failed[/]' if problems else '[green]ok[/]'} {label}")
    for problem in problems:
        _OUT.print(f"    {problem}", markup=False)
    return bool(problems)


if __name__ == "__main__":
    typer.run(check)
