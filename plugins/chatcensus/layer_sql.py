"""The SQL that the mapping of the table turns into: what the statement of a layer asks for by name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from chatcensus.errors import SetupError
from chatcensus.evaluation import ATTRIBUTE, PREVIOUS, Evaluation
from chatcensus.mapping import Only, TableMapping
from chatcensus.moment import END_SECOND, FIRST_SECOND, ISO_TIME, NUMBER

EXPORTED_ITEMS, CHANGED_ITEMS = "conversations_ion", "conversation_changes"

# DynamoDB numbers are decimals in Ion: any other numeric type fails the query (amazon-ion/ion-hive-serde issue 110).
_NUMBER = "decimal(38,0)"
_TYPES: dict[object, str] = {int: _NUMBER, bool: "boolean"}
# What `Evaluation.attribute()` stores in the place of its verdict.
_VERDICT_TYPES = {"outcome": "string", "category": "string", "inquiry_score": _NUMBER, "reason": "string"}
_ION_NUMBER = "^-?[0-9]+([.][0-9]*|d-?[0-9]+)$"
_WORD = "^[!-~]{1,256}$"
_NO_SUCH = ("no_such_attribute",)

# What `include/sql/layers/layer.sql` selects.
CURATED_COLUMNS = {
    **dict.fromkeys(("conversation_id", "item_kind", "created_at"), "string"),
    **dict.fromkeys(("language", "department", "user_group", "app_model"), "string"),
    "app_tokens": "bigint",
    **dict.fromkeys(("outcome", "category", "reason", "prompt_version", "taxonomy_version", "model"), "string"),
    **dict.fromkeys(("answered_by", "user_pseudonym", "run_id"), "string"),
    "inquiry_score": "int",
    **dict.fromkeys(("attempts", "input_tokens", "output_tokens", "cost_micro_usd"), "bigint"),
    "is_clipped": "boolean",
    "evaluated_at": "string",
    **{f"previous_{name}": "int" if name == "inquiry_score" else "string" for name in PREVIOUS},
}


def evaluation_types() -> dict[str, str]:
    """Return the Athena type of every attribute of a stored evaluation but `previous`."""
    stored = {
        field.name: _TYPES.get(field.type, "string")
        for field in fields(Evaluation)
        if field.name not in ("verdict", "previous")
    }
    return {**stored, **_VERDICT_TYPES}


def item_columns(mapping: TableMapping) -> dict[str, tuple[str, tuple[str, ...]]]:
    """
    Return the columns in which an export is read: the Athena type and the path of each.

    Shape: attributes of the user's are text, the one type that takes every value, so that no query fails on an odd one.
    Neither the turns nor the user are columns: no query can read them.
    """
    attributes = {
        "partition_key": mapping.partition_key,
        "sort_key": mapping.sort_key,
        "created_at": mapping.created_at and mapping.created_at.attribute,
        "language": mapping.language,
        "department": mapping.department,
        "user_group": mapping.user_group,
        "app_model": mapping.app_model,
        "app_tokens": mapping.app_tokens,
        **{f"only_{number}": only.attribute for number, only in enumerate(mapping.only, 1)},
    }
    columns: dict[str, tuple[str, tuple[str, ...]]] = {
        name: ("string", (attribute,) if attribute else _NO_SUCH) for name, attribute in attributes.items()
    }
    for name, athena_type in evaluation_types().items():
        columns[f"{ATTRIBUTE}_{name}"] = (athena_type, (ATTRIBUTE, name))
    for name in PREVIOUS:
        athena_type = _VERDICT_TYPES.get(name, "string")
        columns[f"{ATTRIBUTE}_previous_{name}"] = (athena_type, (ATTRIBUTE, "previous", name))
    return columns


def read_attributes(mapping: TableMapping) -> list[str]:
    """Return the attributes, those at the top of an item, of which `item_columns` reads something."""
    return sorted({path[0] for _, path in item_columns(mapping).values() if path is not _NO_SUCH})


@dataclass(frozen=True)
class LayerSql:
    """
    What `include/sql/layers/layer.sql` asks for: the items of a full export, or of an increment, and the mapping.

    Shape: *key_types* has the DynamoDB type of each key attribute, which no column tells.
    """

    mapping: TableMapping
    key_types: Mapping[str, str]
    is_increment: bool

    @property
    def items(self) -> str:
        """A relation with the columns of `item_columns`, one row per item of the export given as `?`."""
        if not self.is_increment:
            columns = ", ".join(item_columns(self.mapping))
            return f"(select {columns}, false as is_deleted from {EXPORTED_ITEMS} where export_id = ?)"  # noqa: S608 - our names
        columns = ",\n        ".join(
            f"{self._changed(athena_type, path, is_condition=name.startswith('only_'))} as {name}"
            for name, (athena_type, path) in item_columns(self.mapping).items()
        )
        return f"""(
    select
        {columns},
        image is null as is_deleted
    from (
        select
            json_extract(line, '$.Keys') as keys,
            json_extract(line, '$.NewImage') as image,
            json_extract(line, '$.NewImage.{ATTRIBUTE}.M') as {ATTRIBUTE},
            json_extract(line, '$.NewImage.{ATTRIBUTE}.M.previous.M') as previous
        from {CHANGED_ITEMS}
        where export_id = ?
    ) as parts
)"""  # noqa: S608 - our names, and paths that are quoted

    def _changed(self, athena_type: str, path: tuple[str, ...], *, is_condition: bool) -> str:
        """Return the value at *path* of a changed item, as the column over a full export has it."""
        document = {1: "image", 2: ATTRIBUTE, 3: "previous"}[len(path)]
        kind = {"boolean": "BOOL", _NUMBER: "N"}.get(athena_type, "S")
        if len(path) > 1:
            value = f"json_extract_scalar({document}, {_json_path(path[-1], kind)})"
            return value if kind == "S" else f"cast({value} as {athena_type})"
        if path[0] in self.key_types:
            return f"json_extract_scalar(keys, {_json_path(path[0], self.key_types[path[0]])})"
        kinds = ("S", "BOOL") if is_condition else ("S", "N", "BOOL")  # a number fulfils no condition on a text
        texts = ", ".join(f"json_extract_scalar(image, {_json_path(path[0], kind)})" for kind in kinds)
        # Any other value but a NULL is there, and has no text: `{`, as the Ion text of a map begins.
        other = f"if(json_extract(image, {_json_path(path[0], 'NULL')}) is null, '{{')"
        return f"coalesce({texts}, if(json_extract(image, {_json_path(path[0])}) is not null, {other}))"

    @property
    def conversation_id(self) -> str:
        """The primary key as text, as `TableMapping.conversation_id` makes it; a layer holds a keyed hash of it."""
        partition_key = self._key("partition_key", self.mapping.partition_key)
        if self.mapping.one_item_is == "message" or not self.mapping.sort_key:
            return partition_key
        sort_key = self._key("sort_key", self.mapping.sort_key)
        return f"replace(replace({partition_key}, '%', '%25'), '/', '%2F') || '/' || {sort_key}"

    def _key(self, column: str, attribute: str) -> str:
        if self.key_types[attribute] == "B":
            raise SetupError(f"the key attribute {attribute!r} is binary: a conversation needs a text or number as key")
        return column if self.key_types[attribute] == "S" else text_of(column)

    @property
    def is_conversation(self) -> str:
        """The condition `only`: whether an item is a conversation, or a message of one."""
        conditions = [
            part
            for number, only in enumerate(self.mapping.only, 1)
            for part in _conditions(only, f"only_{number}", is_key=only.attribute in self.key_types)
        ]
        return " and ".join(f"coalesce({condition}, false)" for condition in conditions) or "true"

    @property
    def nth_message(self) -> str:
        """Which message of its conversation an item is, in DynamoDB's order: by bytes of UTF-8, or by number."""
        sort_key = self.mapping.sort_key
        if self.mapping.one_item_is == "conversation" or not sort_key:
            return "1"
        order = "sort_key"
        if self.key_types[sort_key] != "S":
            number = text_of("sort_key")
            order = f"cast(regexp_extract({number}, '^-?[0-9]{{1,37}}') as {_NUMBER}), cast({number} as double)"
        return f"row_number() over (partition by partition_key, is_conversation order by {order})"

    @property
    def created_at(self) -> str:
        """When the conversation began as ISO 8601 text in UTC, whole seconds; NULL for what `CreatedAt` cannot read."""
        created_at = self.mapping.created_at
        if not created_at:
            return "cast(null as varchar)"
        written = "created_at"
        if created_at.before:
            written = f"split_part({written}, {sql_text(created_at.before)}, 1)"
        if created_at.form == "iso":
            with_t = f"regexp_replace(replace({written}, ' ', 'T'), '[.,][0-9]+')"
            time = f"from_iso8601_timestamp(regexp_replace({with_t}, '([+-][0-9]{{2}})([0-9]{{2}})$', '$1:$2'))"
            condition = f"regexp_like({written}, '{ISO_TIME}')"
        else:
            per_second = "1" if created_at.form == "epoch_s" else "1000"
            seconds = f"cast(replace({written}, 'd', 'e') as double) / {per_second}"
            time = f"from_unixtime(floor({seconds}))"
            condition = (
                f"regexp_like({written}, '{NUMBER}') and {seconds} >= {FIRST_SECOND} and {seconds} < {END_SECOND}"
            )
        return f"case when {condition} then try(date_format({time} at time zone 'UTC', '%Y-%m-%dT%H:%i:%sZ')) end"

    def text(self, column: str) -> str:
        """The text of an attribute of any type."""
        return text_of(column)

    def word(self, column: str) -> str:
        """
        A word of an evaluation as the census writes them: visible ASCII without a space.

        Anything else is NULL. An attribute of the table's own may have our name, or one that differs by capitals alone,
        which Ion's path extractors do not tell apart: a sentence in it must not come through.
        """
        return f"if(regexp_like({column}, '{_WORD}'), {column})"


def text_of(column: str) -> str:
    """
    Return the SQL for the text of an attribute of any type: a string, a number in plain digits, `true` or `false`.

    What has no text (a map, a list, a set) gives NULL. Ion writes 600 as `6d2` and 103 as `103.`; a string that looks
    so is read as the number, and one that begins like a map or list has no text: a text column cannot tell them apart.
    """
    digits = f"split_part(replace({column}, '.', ''), 'd', 1)"
    zeros = f"coalesce(cast(split_part({column}, 'd', 2) as bigint), 0)"
    return (
        f"case when regexp_like({column}, '^-?[0-9]+(d[0-9]+|[.])$') then "
        f"rpad({digits}, length({digits}) + {zeros}, '0')"
        f" when substr({column}, 1, 1) in ('{{', '[') or starts_with({column}, '$dynamodb_') then null"
        f" else {column} end"
    )


def _conditions(only: Only, column: str, *, is_key: bool) -> list[str]:
    text = column if is_key else f"if(regexp_like({column}, '{_ION_NUMBER}'), null, {text_of(column)})"
    conditions = []
    if only.begins_with is not None:
        conditions.append(f"starts_with({text}, {sql_text(only.begins_with)})")
    if only.contains is not None:
        conditions.append(f"strpos({text}, {sql_text(only.contains)}) > 0")
    if only.equals is not None:
        conditions.append(f"{column} = {sql_text(only.equals)}")  # whatever it looks like, such as `1.0` a number
    return conditions or [f"{column} is not null"]


def sql_text(value: str) -> str:
    """
    Return a text of the mapping as an SQL string literal.

    Errors: SetupError for one with a control character.
    """
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise SetupError(f"include/table.yaml: {value!r} holds a control character, which no statement can")
    return "'" + value.replace("'", "''") + "'"


def _json_path(*steps: str) -> str:
    escaped = (step.replace("\\", "\\\\").replace('"', '\\"') for step in steps)
    return sql_text("$" + "".join(f'["{step}"]' for step in escaped))
