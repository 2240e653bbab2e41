"""The commands in a document's ```bash blocks, and what is wrong with them as far as one can tell here.

Known are flags of `aws` by botocore's models, of `helm` and `kubectl` by their own help, variables and
outputs of `terraform` by the folder that it runs in, targets of `make`, modules of `python -m`, and files of
the repository. Commands of programs that no test machine has (docker, cosign) are only split into words.
"""

import functools
import importlib.util
import itertools
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import botocore.session
from botocore import xform_name

from tests.helm import programs
from tests.helm.charts import ROOT

__all__ = ["Command", "commands", "problems"]

# What the command-line client has beside the API: (service, operation) -> its flags.
_AWS_OWN = {
    ("s3", "cp"): {"--recursive", "--source-region"},
    ("s3", "ls"): {"--recursive"},
    ("s3", "mb"): set(),
    ("s3", "rb"): {"--force"},
    ("s3", "sync"): {"--delete", "--cache-control", "--exclude", "--include", "--source-region"},
    ("ecr", "get-login-password"): set(),
    ("eks", "update-kubeconfig"): {"--name", "--alias", "--role-arn"},
    ("configure", "list"): set(),
}
_AWS_GLOBAL = {
    "--query",
    "--output",
    "--region",
    "--profile",
    "--no-cli-pager",
    "--cli-input-json",
    "--max-items",
    "--no-paginate",
}
_TERRAFORM = {
    "init",
    "apply",
    "plan",
    "output",
    "destroy",
    "import",
    "state",
    "validate",
    "fmt",
    "test",
    "providers",
    "version",
}
_SHELL = frozenset({"export", "do", "done", "for", "then", "$"})
_TOP = re.compile(r"^(?:\./)?(?:docs|exchange|helm|infra|matching_engine|services|tests|web)/[\w./-]+$")


@dataclass(frozen=True)
class Command:
    """One simple command: its words without redirections, and the folder that `cd` has led to."""

    words: tuple[str, ...]
    folder: Path
    written: frozenset[str] = field(default_factory=frozenset)

    @property
    def flags(self) -> set[str]:
        found = (word.partition("=")[0] for word in self.words[1:] if re.match(r"--?[a-zA-Z]", word))
        return set(found)


def blocks(text: str) -> list[str]:
    """What is typed: the ```bash blocks of a document, as they stand."""
    return re.findall(r"^ *```bash\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[Command]:
    """Every simple command of the document, in order. `cd` holds from block to block."""
    written: set[str] = set()
    folder = before = ROOT
    for block in blocks(text):
        block = re.sub(r"<<-?'?(\w+)'?(.*)\n.*?^\s*\1$", r"\2", block, flags=re.MULTILINE | re.DOTALL)
        # Of what a loop goes through, the first stands for all.
        for name, words in re.findall(r"\bfor (\w+) in ([\w/ -]+); do", block):
            block = re.sub(rf"\${name}\b", words.split()[0], block)
        written |= {Path(name).name for name in re.findall(r">>?\s*([\w./-]+)", block)}
        for line in block.replace("\\\n", " ").splitlines():
            outside = folder
            for words in _simple(line):
                if words[0] == "cd":
                    target = before if words[1:] in (["-"], []) else (folder / words[1]).resolve()
                    before, folder = folder, target
                    continue
                yield Command(tuple(words), folder, frozenset(written))
            if line.lstrip().startswith("("):
                folder = outside


def _simple(block: str) -> Iterator[list[str]]:
    for line in block.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split = True
        lexer.commenters = ""
        words: list[str] = []
        previous = ""
        for word in [*_until_comment(lexer), ";"]:
            if set(word) <= set("|&;()") and word:
                if words:
                    yield words
                words = []
            elif previous in (">", ">>", "<") or not set(word) - set("<>"):
                pass
            elif not words and (re.match(r"[A-Za-z_]\w*=", word) or word in _SHELL):
                words = ["for"] if word == "for" else []
            else:
                words.append(word)
            previous = word
        # Substitutions stand inside words: their commands are commands too.
    for inner in re.findall(r"\$\(([^()]*)\)", block):
        yield from _simple(inner)


def _until_comment(lexer: shlex.shlex) -> Iterator[str]:
    for word in lexer:
        if word.startswith("#"):
            return
        yield word


def problems(command: Command) -> list[str]:
    """What is wrong with it, in words; nothing is a good sign."""
    program = command.words[0]
    checks: dict[str, Callable[[Command], Iterator[str]]] = {
        "aws": _aws,
        "helm": _helm,
        "kubectl": _kubectl,
        "make": _make,
        "python": _python,
        "terraform": _terraform,
    }
    found = [*checks[program](command)] if program in checks else []
    found += [*_files(command)]
    return [f"{' '.join(command.words)[:120]}: {problem}" for problem in found]


@functools.cache
def _aws_input(service: str, operation: str) -> set[str] | None:
    session = botocore.session.get_session()
    names = {"s3api": "s3", "configservice": "config"}
    try:
        model = session.get_service_model(names.get(service, service))
    except botocore.exceptions.UnknownServiceError:
        return None
    by_name = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in by_name:
        return None
    shape = model.operation_model(by_name[operation]).input_shape
    members = shape.members if shape is not None else {}
    flags = {f"--{xform_name(name, '-')}" for name in members}
    booleans = {
        f"--no-{xform_name(name, '-')}" for name, member in members.items() if member.type_name == "boolean"
    }
    return flags | booleans


def _aws(command: Command) -> Iterator[str]:
    if command.words[1:] == ("--version",):
        return
    words = [word for word in command.words[1:] if not word.startswith("-")]
    service, operation = words[0], words[1]
    if operation == "wait":
        return
    known = _AWS_OWN.get((service, operation), _aws_input(service, operation))
    if known is None:
        yield f"aws knows no {service} {operation}"
        return
    for flag in sorted(command.flags - known - _AWS_GLOBAL):
        yield f"{service} {operation} has no {flag}"


@functools.cache
def _help(program: str, *verbs: str) -> str:
    path = programs.helm() if program == "helm" else programs.kubectl()
    done = subprocess.run(
        [str(path), *verbs, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    if program == "kubectl":
        options = subprocess.run(
            [str(path), "options"], capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + options.stdout
    return done.stdout


def _known(command: Command, program: str, verbs: list[str]) -> Iterator[str]:
    text = _help(program, *verbs)
    for flag in sorted(command.flags):
        if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text):
            yield f"{program} {' '.join(verbs)} has no {flag}"


def _helm(command: Command) -> Iterator[str]:
    verb = command.words[1]
    verbs = [verb, command.words[2]] if verb in ("repo", "dependency") else [verb]
    yield from _known(command, "helm", verbs)
    words = command.words
    for flag, value in itertools.pairwise(words):
        if flag in ("-f", "--values") and not _is_there(command, value):
            yield f"there is no {value}"


def _kubectl(command: Command) -> Iterator[str]:
    verb = command.words[1]
    nested = verb in ("create", "rollout", "config", "set") and not command.words[2].startswith("-")
    inside = command.words[: command.words.index("--")] if "--" in command.words else command.words
    asked = Command(tuple(inside), command.folder, command.written)
    yield from _known(asked, "kubectl", [verb, command.words[2]] if nested else [verb])


def _terraform(command: Command) -> Iterator[str]:
    words = list(command.words[1:])
    folder = command.folder
    if words and words[0].startswith("-chdir="):
        folder = ROOT / words.pop(0).removeprefix("-chdir=")
    if not folder.is_dir():
        yield f"there is no folder {folder}"
        return
    if words[0] not in _TERRAFORM:
        yield f"terraform has no {words[0]}"
    told = "".join(path.read_text("utf-8") for path in folder.glob("*.tf"))
    declared = {
        kind: set(re.findall(rf'^{kind} "(\w+)"', told, re.MULTILINE)) for kind in ("variable", "output")
    }
    for index, word in enumerate(words):
        value = words[index + 1] if index + 1 < len(words) else ""
        if word in ("-var", "--var") and value.endswith("=null"):
            yield f"{value} is the text null where the variable is a string: leave it out"
        if word in ("-var", "--var") and value.partition("=")[0] not in declared["variable"]:
            yield f"{folder.name} has no variable {value.partition('=')[0]}"
        if word.startswith("-var-file="):
            file = word.removeprefix("-var-file=")
            if not (folder / file).exists() and Path(file).name not in command.written:
                yield f"there is no {file} in {folder.name}"
    if words[0] == "output":
        for name in [word for word in words[1:] if not word.startswith("-")]:
            if name not in declared["output"]:
                yield f"{folder.name} has no output {name}"


def _make(command: Command) -> Iterator[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in command.words[1:]:
        if (
            "=" not in word
            and not word.startswith("-")
            and not re.search(rf"^{word}[ :]", makefile, re.MULTILINE)
        ):
            yield f"there is no target {word}"


def _python(command: Command) -> Iterator[str]:
    if command.words[1:2] == ("-m",) and importlib.util.find_spec(command.words[2]) is None:
        yield f"there is no module {command.words[2]}"


def _files(command: Command) -> Iterator[str]:
    for word in command.words[1:]:
        path = word.partition("=")[2] if word.startswith("-") and "=" in word else word
        if _TOP.match(path) and not _is_there(command, path):
            yield f"there is no {path}"


def _is_there(command: Command, name: str) -> bool:
    path = Path(name)
    return (ROOT / path).exists() or (command.folder / path).exists() or path.name in command.written
