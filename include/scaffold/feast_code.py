"""Feast definitions as code: entities, feature views, and a service on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from include.scaffold.layout import Code, call, laid_out, listed, quoted, spread
from include.scaffold.views import View
from include.scaffold.wording import filled, sentence

TYPES = {
    "string": "String",
    "int64": "Int64",
    "float64": "Float64",
    "bool": "Bool",
}


def feast_file(name: str, owner: str, views: Sequence[View], entities: Mapping[str, str]) -> str:
    """Return the file of a dataset; `entities`: key of the views → what the entity is called."""
    keys = {key.name: key for view in views for key in view.keys}
    definitions = [
        laid_out(_entity(entities[key.name], key.name, key.kind), f"{entities[key.name]} = ")
        for key in keys.values()
    ]
    definitions += [laid_out(_view(view, entities), f"{view.name} = ") for view in views]
    fields = {it.type for view in views for it in view.features} | {it.kind for it in keys.values()}
    return filled(
        "dataset_feast.py",
        name=name,
        types=", ".join(sorted(TYPES[kind] for kind in fields)),
        owner=quoted(owner),
        definitions=definitions,
    )


def _entity(name: str, key: str, kind: str) -> Code:
    entity = call(
        "Entity",
        name=quoted(name),
        join_keys=listed([quoted(key)]),
        value_type=f"ValueType.{kind.upper()}",
        description=quoted(sentence(key)),
        owner="OWNER",
        tags="TAGS",
    )
    return spread(entity)


def _view(view: View, entities: Mapping[str, str]) -> Code:
    fields = [_field(key.name, key.kind) for key in view.keys]
    fields += [_field(it.name, it.type, it.words) for it in view.features]
    keys = listed(entities[key.name] for key in view.keys)
    return spread(call("_view", quoted(view.name), keys, listed(fields), quoted(view.words)))


def _field(name: str, kind: str, words: str | None = None) -> Code:
    more: dict[str, Code] = {"description": quoted(words)} if words else {}
    return call("Field", name=quoted(name), dtype=TYPES[kind], **more)
