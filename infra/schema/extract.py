"""Read the schema of every AWS resource out of the generated sources of the wheel `cdktn-provider-aws`.

That wheel is generated from `terraform providers schema -json` and carries one JavaScript module for each
resource and data source, all by one pattern:

- a comment `// name - computed: b, optional: b, required: b` above each attribute and block of a class;
- a getter below it, whose kind (`getStringAttribute`, `new FooList(this, "name", wrapsSet)`) tells the type;
- an entry in `synthesizeHclAttributes()` (resource) or `fooToHclTerraform()` (nested), which tells whether
  the name is a block, and whether a list, a set or a map.

What cannot be seen there: allowed values, patterns, conflicts of arguments, which of them replace a resource.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Block", "Module", "extract", "provider_version"]

# A Terraform type in the JSON notation of the plugin protocol, e.g. "string" or ["list", "string"].
Type = Any
# {"attributes": {name: {type, required, optional, computed}}, "blocks": {name: {nesting, min, max, block}}}
Block = dict[str, dict[str, Any]]
# {"provider": block, "resources": {type: block}, "data": {type: block}}
Schema = dict[str, Any]

_CLASS: Final = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{$", re.MULTILINE)
_FUNCTION: Final = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{$", re.MULTILINE)
_MEMBER: Final = re.compile(
    r"^    // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)$", re.MULTILINE
)
_ENTRY: Final = re.compile(
    r'^ +"?(\w+)"?: \{\n +value: (.+),\n +isBlock: (true|false),\n'
    r' +type: "(\w+)",\n +storageClassType: "(\w+)",',
    re.MULTILINE,
)
_COMPLEX: Final = re.compile(r'= new (?:cdktn\.)?(\w+)\(this, "\w+"(?:, (true|false))?\)')
_GETTER: Final = re.compile(r"this\.get(\w+)Attribute\('\w+'\)")
_RESOURCE_TYPE: Final = re.compile(r'static tfResourceType = "(\w+)"')
_VERSION: Final = re.compile(r"providerVersion: '([\d.]+)'")
_MAPPER: Final = re.compile(r"(\w+)ToHclTerraform")

_GETTER_TYPES: Final[dict[str, Type]] = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
    "AnyMap": ["map", "string"],
    "StringMapList": ["list", ["map", "string"]],
}
# Resources whose rule.statement the generator gives the type `any`, and the one where it is spelled out.
_RECURSIVE: Final = ("aws_wafv2_web_acl", "aws_wafv2_rule_group")
_UNROLLED: Final = "aws_wafv2_web_acl_rule"
_WORDS: Final = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}


@dataclass(frozen=True)
class Member:
    """One attribute or block of a class, as its comment and getter tell."""

    computed: bool
    optional: bool
    required: bool
    getter: str


@dataclass(frozen=True)
class Entry:
    """One argument, as the function that writes HCL tells."""

    value: str
    is_block: bool
    kind: str
    storage: str

    @property
    def mapper(self) -> str | None:
        """The name of the nested struct, if this is one."""
        names = [name for name in _MAPPER.findall(self.value) if name not in _WORDS]
        return names[-1] if names else None


@dataclass
class Module:
    """The parsed source of one resource, data source or the provider."""

    members: dict[str, dict[str, Member]] = field(default_factory=dict)
    entries: dict[str, dict[str, Entry]] = field(default_factory=dict)
    kind: str = ""
    top_class: str = ""
    type_name: str = ""

    @classmethod
    def parse(cls, source: str) -> "Module":
        """Read the classes and the HCL functions of one module's source."""
        module = cls()
        for match, body in _pieces(_CLASS, source):
            name, base = match[1], match[2]
            module.members[name] = dict(_members(body))
            if base in ("TerraformResource", "TerraformDataSource", "TerraformProvider"):
                module.kind, module.top_class = base.removeprefix("Terraform"), name
                found = _RESOURCE_TYPE.search(body)
                module.type_name = found[1] if found else ""
                module.entries[""] = _entries(body[body.index("synthesizeHclAttributes()") :])
        for match, body in _pieces(_FUNCTION, source):
            module.entries[match[1]] = _entries(body[: body.index("\n}\n")])
        return module

    def block(self) -> Block:
        """The schema of the resource itself."""
        return self._block(self.top_class, "", ())

    def _block(self, class_name: str, function: str, outer: tuple[str, ...]) -> Block:
        members = self.members.get(class_name, {})
        result: Block = {"attributes": {}, "blocks": {}}
        entries = self.entries.get(function, {})
        for name in {**entries, **members}:
            entry, member = entries.get(name), members.get(name)
            if entry is not None and entry.mapper in outer:
                continue  # A schema has no recursion: the generator unrolled it as far as the provider does.
            if entry is not None and entry.is_block and not self._is_nested_attribute(entry):
                result["blocks"][name] = self._nested(entry, member, outer)
            else:
                result["attributes"][name] = self._attribute(entry, member)
        return result

    @staticmethod
    def _is_nested_attribute(entry: Entry) -> bool:
        """`listMapperHcl(…, false)` marks what is written `name = [{…}]`, true what is written `name {…}`."""
        return (
            re.search(r"MapperHcl\(\w+, false\)", entry.value) is not None or "hashMapperHcl" in entry.value
        )

    def _nested(self, entry: Entry, member: Member | None, outer: tuple[str, ...]) -> dict[str, Any]:
        mapper = entry.mapper or ""
        many = "listMapperHcl" in entry.value
        nesting = "single" if entry.kind == "struct" else entry.kind
        required = member is not None and member.required
        return {
            "nesting": nesting,
            "min": int(required and nesting != "single"),
            "max": int(not many and nesting != "single"),
            "block": self._block(self._element_class(mapper), mapper, (*outer, mapper)),
        }

    @staticmethod
    def _element_class(mapper: str) -> str:
        return f"{mapper[:1].upper()}{mapper[1:]}OutputReference"

    def _attribute(self, entry: Entry | None, member: Member | None) -> dict[str, Any]:
        required = member.required if member else False
        computed = member.computed if member else False
        return {
            "type": self._type(entry, member),
            "required": required,
            "computed": computed,
            "optional": not required and (member is None or member.optional or not computed),
        }

    def _type(self, entry: Entry | None, member: Member | None) -> Type:
        if entry is not None and not entry.is_block:
            return _declared(entry.kind, entry.storage)
        if member is None:
            return "dynamic"
        complex_type = _COMPLEX.search(member.getter)
        if complex_type:
            if complex_type[1] in _GETTER_TYPES:
                return _GETTER_TYPES[complex_type[1]]
            return self._complex(complex_type[1], wraps_set=complex_type[2] == "true")
        getter = _GETTER.search(member.getter)
        return _GETTER_TYPES.get(getter[1], "dynamic") if getter else "dynamic"

    def _complex(self, class_name: str, *, wraps_set: bool) -> Type:
        """The type of a computed object, or of a list, set or map of them."""
        for suffix, nesting in (
            ("MapList", ["map"]),
            ("List", ["set" if wraps_set else "list"]),
            ("Map", ["map"]),
        ):
            element = f"{class_name.removesuffix(suffix)}OutputReference"
            if class_name.endswith(suffix) and element in self.members:
                return [*nesting, self._object(element)]
        return self._object(class_name)

    def _object(self, class_name: str) -> Type:
        attributes = {
            name: self._type(None, member)
            for name, member in sorted(self.members.get(class_name, {}).items())
        }
        return ["object", attributes] if attributes else "dynamic"


def _pieces(pattern: re.Pattern[str], source: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each match, with the text from it to the next one."""
    matches = list(pattern.finditer(source))
    for index, match in enumerate(matches):
        end = matches[index + 1].start() if index + 1 < len(matches) else len(source)
        yield match, source[match.start() : end]


def _members(body: str) -> Iterator[tuple[str, Member]]:
    for match, getter in _pieces(_MEMBER, body):
        name, computed, optional, required = match.groups()
        # The last piece runs on to the end of the class; the getter is near its beginning.
        yield name, Member(computed == "true", optional == "true", required == "true", getter[:1_000])


def _entries(body: str) -> dict[str, Entry]:
    return {
        name: Entry(value, is_block == "true", kind, storage)
        for name, value, is_block, kind, storage in _ENTRY.findall(body)
    }


def _declared(kind: str, storage: str) -> Type:
    """`list` of `stringList` is ["list", "string"]; what is deeper than one level stays open."""
    if kind == "simple":
        return _WORDS.get(storage, "dynamic")
    inner = re.fullmatch(r"(string|number|boolean|any)(List|Map)?(List|Map)?", storage)
    if inner is None or inner[1] == "any":
        return "dynamic"
    element: Type = _WORDS[inner[1]]
    if inner[3]:
        element = [inner[2].lower(), element]
    return [kind, element]


def provider_version(source: str) -> str | None:
    """The provider's version that a module's source names."""
    found = _VERSION.search(source)
    return found[1] if found else None


def extract(sources: Iterable[str]) -> Schema:
    """Turn the modules' sources into one schema. Raises ValueError when no resource is found."""
    schema: Schema = {"version": "", "provider": None, "resources": {}, "data": {}}
    for source in sources:
        module = Module.parse(source)
        schema["version"] = schema["version"] or provider_version(source) or ""
        if module.kind == "Provider":
            schema["provider"] = _all_optional(module.block())
        elif module.kind == "Resource":
            schema["resources"][module.type_name] = module.block()
        elif module.kind == "DataSource":
            schema["data"][module.type_name] = module.block()
    if not schema["resources"] or schema["provider"] is None:
        raise ValueError("no resources or no provider in these sources: is it the right package?")
    for owner in _RECURSIVE:
        _unroll_statements(schema["resources"], owner)
    return schema


def _unroll_statements(resources: dict[str, Block], owner: str) -> None:
    """Give a firewall's rules the statements that the generator left open because they nest in themselves.

    The younger resource for a single rule has the same block, unrolled.
    """
    if owner not in resources or _UNROLLED not in resources:
        return
    rule = resources[owner]["blocks"]["rule"]["block"]
    if rule["attributes"].pop("statement", None) is not None:
        statement = resources[_UNROLLED]["blocks"]["statement"]
        rule["blocks"]["statement"] = {**statement, "nesting": "list", "min": 1, "max": 1}
        rated = statement["block"]["blocks"].get("rate_based_statement")
        if rated is not None:
            _join_statements(rated["block"]["blocks"]["scope_down_statement"]["block"])


# What this repository writes below "not" and "and"; all kinds there would make each plan ten times slower.
_JOINED: Final[tuple[str, ...]] = ("byte_match_statement", "ip_set_reference_statement")


def _join_statements(scope: Block) -> None:
    """What a rate's scope can say is joined by "not" and "and", to the depth that this repository writes.

    The resource for a single rule lacks them there; the provider has them in a firewall's own rules
    (`scopeDownStatementSchema` of its `internal/service/wafv2/schemas.go`).
    """

    def of(block: Block, most: int) -> dict[str, Any]:
        inner = {"nesting": "list", "min": 1, "max": most, "block": block}
        joint: Block = {"attributes": {}, "blocks": {"statement": inner}}
        return {"nesting": "list", "min": 0, "max": 1, "block": joint}

    kinds = {name: scope["blocks"][name] for name in _JOINED if name in scope["blocks"]}
    denied = of({"attributes": {}, "blocks": kinds}, 1)
    both = of({"attributes": {}, "blocks": {**kinds, "not_statement": denied}}, 0)
    scope["blocks"] |= {"not_statement": denied, "and_statement": both}


def _all_optional(block: Block) -> Block:
    """A provider's arguments come from the environment too, so none is required.

    A nested object of a provider (`kubernetes = {…}` of helm) looks like a block here and is an attribute;
    what is inside stays open.
    """
    for name, nested in list(block["blocks"].items()):
        if nested["nesting"] == "single":
            del block["blocks"][name]
            block["attributes"][name] = {"type": "dynamic"}
    for attribute in block["attributes"].values():
        attribute.update(required=False, optional=True, computed=False)
    return block
