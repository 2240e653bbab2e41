"""A document that is typed into shells, read as such: sections, blocks, variables, files of values.

The first sections are one shell; after "In a new shell" each section begins with what that one sets; one that
says "A new shell" begins with nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.helm.charts import ROOT
from tests.infra.commands import blocks

__all__ = ["Section", "sections", "unknown_values", "unset"]

NEW_SHELL = "In a new shell"
# What bash has by itself, and what step 8's own functions take.
_GIVEN = frozenset({"HOME", "PATH", "RANDOM", "PWD"})
_SET = re.compile(r"(?:^|[\s;(])([A-Za-z_]\w*)\+?=")
_READ = re.compile(r"\$\{?([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Section:
    """A heading, what is typed below it, and whether its first words say that it begins in an empty shell."""

    title: str
    text: str
    begins_empty: bool

    @property
    def blocks(self) -> list[str]:
        return [
            re.sub(r"(?m)^ {3}(?=\S)", "", block) if block.startswith("   ") else block
            for block in blocks(self.text)
        ]

    @property
    def script(self) -> str:
        return "".join(self.blocks)


def sections(document: str) -> list[Section]:
    """All `##` and `###`, in order; a `###` goes on in the shell of the one before."""
    found = []
    for part in re.split(r"(?m)^(?=###? )", document)[1:]:
        title = part.splitlines()[0].lstrip("# ")
        found.append(Section(title, part, bool(re.search(r"(?m)^A new shell", part)) or title == NEW_SHELL))
    return found


def unset(document: str) -> list[str]:
    """Variables that are read and that nothing has set by then, each with its section and line."""
    told = sections(document)
    names = [section.title for section in told]
    after = names.index(NEW_SHELL) if NEW_SHELL in names else len(told)
    fresh: set[str] = set()
    known: set[str] = set()
    problems = []
    for place, section in enumerate(told):
        if section.begins_empty:
            known = set()
        elif place > after and not section.text.startswith("### "):
            known = set(fresh)
        for line in _lines(section.script):
            assigned = set(_SET.findall(line)) | set(re.findall(r"\bfor (\w+) in", line))
            assigned |= {name for names in re.findall(r"\bread -r ([\w ]+)", line) for name in names.split()}
            assigned |= {name for names in re.findall(r"\blocal ([\w ]+)", line) for name in names.split()}
            # `export A=1 B=$A` gives B what A was before.
            seen = known if line.lstrip().startswith("export ") else known | assigned
            problems += [
                f"{section.title}: ${name} in: {line.strip()[:100]}"
                for name in dict.fromkeys(_READ.findall(line))
                if name not in seen | _GIVEN
            ]
            known |= assigned
            for names in re.findall(r"^\s*unset ([\w ]+)", line):
                known -= set(names.split())
        if section.title == NEW_SHELL:
            fresh = set(known)
    return problems


def _lines(script: str) -> Iterator[str]:
    """Commands, each in one line with its continuations, without comments and single quotes."""
    for line in script.replace("\\\n", " ").splitlines():
        text = re.sub(r"(?<!\S)#.*$", "", line)
        # Between single quotes nothing is read, but within double ones they are only characters (an object of
        # jq is within those of a substitution, which begins anew).
        text = re.sub(r"(?<=\s)'\{[^']*\}'", "''", text)
        yield re.sub(r"'[^']*'(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", "''", text)


def unknown_values(document: str, folders: dict[str, tuple[str, ...]]) -> list[str]:
    """Keys of the files of values that the document writes and the folders' Terraform does not know."""
    problems = []
    for name, body in _values(document):
        keys = re.findall(r"(?m)^(\w+) *=", body)
        for folder in folders[name]:
            text = "".join(path.read_text("utf-8") for path in (ROOT / folder).glob("*.tf"))
            known = set(re.findall(r'(?m)^variable "(\w+)"', text))
            problems += [f"{folder} has no variable {key} of {name}" for key in keys if key not in known]
    return problems


def _values(document: str) -> Iterator[tuple[str, str]]:
    for name, body in re.findall(r"cat >>? ([\w./-]+\.tfvars) <<END\n(.*?)^END$", document, re.M | re.S):
        yield Path(name).name, body
    for text, name in re.findall(r"""echo ["'](\w+ = .*?)["'];?.*?>> ([\w./-]+\.tfvars)""", document):
        yield Path(name).name, text
