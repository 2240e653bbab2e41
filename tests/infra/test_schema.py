"""The reader of the generated package, on a small module of the same pattern."""

import pytest

from infra.schema.extract import extract

NESTED = """
function shelfBoxToHclTerraform(struct) {
    const attrs = {
        label: {
            value: cdktn.stringToHclTerraform(struct.label),
            isBlock: false,
            type: "simple",
            storageClassType: "string",
        },
    };
}
class ShelfBoxOutputReference extends cdktn.ComplexObject {
    // label - computed: false, optional: false, required: true
    get label() {
        return this.getStringAttribute('label');
    }
}
class ShelfStateOutputReference extends cdktn.ComplexObject {
    // weight - computed: true, optional: false, required: false
    get weight() {
        return this.getNumberAttribute('weight');
    }
}
class ShelfStateList extends cdktn.ComplexList {
}
"""
RESOURCE = """
class Shelf extends cdktn.TerraformResource {
    static tfResourceType = "aws_shelf";
    // ids - computed: false, optional: true, required: false
    get ids() {
        return cdktn.Fn.tolist(this.getListAttribute('ids'));
    }
    // state - computed: true, optional: false, required: false
    _state = new ShelfStateList(this, "state", true);
    get state() {
        return this._state;
    }
    // tags_all - computed: true, optional: false, required: false
    _tagsAll = new cdktn.StringMap(this, "tags_all");
    // box - computed: false, optional: false, required: true
    _box = new ShelfBoxList(this, "box", false);
    synthesizeHclAttributes() {
        const attrs = {
            ids: {
                value: cdktn.listMapperHcl(cdktn.stringToHclTerraform, false)(this._ids),
                isBlock: false,
                type: "set",
                storageClassType: "stringList",
            },
            box: {
                value: cdktn.listMapperHcl(shelfBoxToHclTerraform, true)(this._box.internalValue),
                isBlock: true,
                type: "list",
                storageClassType: "ShelfBoxList",
            },
        };
    }
}
"""
PROVIDER = """
class AwsProvider extends cdktn.TerraformProvider {
    // region - computed: false, optional: false, required: true
    synthesizeHclAttributes() {
    }
}
"""


def test_types_blocks_and_requirements_are_read() -> None:
    schema = extract([NESTED + RESOURCE, PROVIDER])
    shelf = schema["resources"]["aws_shelf"]
    assert shelf["attributes"]["ids"]["type"] == ["set", "string"]
    assert shelf["attributes"]["tags_all"]["type"] == ["map", "string"]
    assert shelf["attributes"]["state"] == {
        "type": ["set", ["object", {"weight": "number"}]],
        "required": False,
        "computed": True,
        "optional": False,
    }
    box = shelf["blocks"]["box"]
    assert (box["nesting"], box["min"], box["max"]) == ("list", 1, 0)
    assert box["block"]["attributes"]["label"]["required"]


def test_the_provider_requires_nothing_because_the_environment_may_say_it() -> None:
    schema = extract([NESTED + RESOURCE, PROVIDER])
    assert not schema["provider"]["attributes"]["region"]["required"]


def test_another_package_is_refused() -> None:
    with pytest.raises(ValueError, match="right package"):
        extract(["class Something extends cdktn.ComplexObject {\n}"])
