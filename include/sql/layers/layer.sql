-- layer: what one export says of each item, in the narrow columns of conversations_curated; written once, as Parquet.
-- Grain: one row per item of the export. Reads: conversations_ion, or conversation_changes for an increment, and
-- pseudonym_key. Parameters: the export, the fingerprint of the key.
-- conversation_id is a keyed hash of the primary key, which may be the user's name; no column holds any text of a turn.
-- item_kind is `conversation`, or why the item is none: `deleted`, `other_item` (the mapping's `only` does not hold),
-- `later_message` (another message is the first of its conversation). Numbers are cast here and nowhere else.
-- Columns: conversation_id, item_kind, created_at, language, department, user_group, app_model, app_tokens, outcome,
-- category, reason, prompt_version, taxonomy_version, model, answered_by, user_pseudonym, run_id, inquiry_score,
-- attempts, input_tokens, output_tokens, cost_micro_usd, is_clipped, evaluated_at, previous_outcome, previous_category,
-- previous_inquiry_score, previous_reason, previous_prompt_version, previous_model, previous_evaluated_at.
with
items as (
    select
        *,
        {{ layer.is_conversation }} as is_conversation
    from {{ layer.items }} as exported
),

-- The key comes from an object in S3 and not as a value: Athena keeps the text and parameters of every statement.
id_key as (
    select subkey
    from pseudonym_key
    where fingerprint = ?
),

named as (
    select
        items.*,
        lower(
            substr(to_hex(hmac_sha256(to_utf8({{ layer.conversation_id }}), from_hex(id_key.subkey))), 1, 32)
        ) as conversation_id,
        {{ layer.text("app_tokens") }} as app_tokens_text,
        {{ layer.nth_message }} as nth_message
    from items
    cross join id_key
),

narrow as (
    select
        conversation_id,
        case
            when is_deleted then 'deleted'
            when not is_conversation then 'other_item'
            when nth_message > 1 then 'later_message'
            else 'conversation'
        end as item_kind,
        {{ layer.created_at }} as created_at,
        {{ layer.text("language") }} as language,
        {{ layer.text("department") }} as department,
        {{ layer.text("user_group") }} as user_group,
        {{ layer.text("app_model") }} as app_model,
        case
            when regexp_like(app_tokens_text, '^[0-9]{1,18}$') then cast(app_tokens_text as bigint)
        end as app_tokens,
        {{ layer.word("evaluation_outcome") }} as outcome,
        {{ layer.word("evaluation_category") }} as category,
        {{ layer.word("evaluation_reason") }} as reason,
        {{ layer.word("evaluation_prompt_version") }} as prompt_version,
        {{ layer.word("evaluation_taxonomy_version") }} as taxonomy_version,
        {{ layer.word("evaluation_model") }} as model,
        {{ layer.word("evaluation_answered_by") }} as answered_by,
        {{ layer.word("evaluation_user_pseudonym") }} as user_pseudonym,
        {{ layer.word("evaluation_run_id") }} as run_id,
        cast(evaluation_inquiry_score as integer) as inquiry_score,
        cast(evaluation_attempts as bigint) as attempts,
        cast(evaluation_input_tokens as bigint) as input_tokens,
        cast(evaluation_output_tokens as bigint) as output_tokens,
        cast(evaluation_cost_micro_usd as bigint) as cost_micro_usd,
        evaluation_is_clipped as is_clipped,
        {{ layer.word("evaluation_evaluated_at") }} as evaluated_at,
        {{ layer.word("evaluation_previous_outcome") }} as previous_outcome,
        {{ layer.word("evaluation_previous_category") }} as previous_category,
        cast(evaluation_previous_inquiry_score as integer) as previous_inquiry_score,
        {{ layer.word("evaluation_previous_reason") }} as previous_reason,
        {{ layer.word("evaluation_previous_prompt_version") }} as previous_prompt_version,
        {{ layer.word("evaluation_previous_model") }} as previous_model,
        {{ layer.word("evaluation_previous_evaluated_at") }} as previous_evaluated_at
    from named
)

select *
from narrow
