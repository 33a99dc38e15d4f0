-- evaluations: every conversation of every snapshot with its evaluation; pending = not judged yet.
-- Grain: one row per conversation and snapshot. Reads: conversations_curated. The only place with time zones.
-- A snapshot is layer 000000, from a full export, and one layer for each increment after it: the newest row of a
-- conversation counts, and is not shown when it says that the conversation is gone. Times stay ISO 8601 text, since
-- Athena refuses a view with a `timestamp with time zone` column. A text that is no time gives no day, not an error.
-- Columns: conversation_id, export_id, language, department, outcome, category, reason, prompt_version,
-- taxonomy_version, model, answered_by, user_pseudonym, run_id, app_model, previous_outcome, previous_category,
-- previous_reason, previous_prompt_version, previous_model, inquiry_score, attempts, input_tokens, output_tokens,
-- cost_micro_usd, app_tokens, previous_inquiry_score, is_clipped, day (of created_at, in the configured zone),
-- created_at, evaluated_at, previous_evaluated_at.
create or replace view evaluations as
with
changed as (
    select
        export_id,
        conversation_id,
        max(layer) as layer
    from conversations_curated
    where layer > '000000'
    group by export_id, conversation_id
)

select
    curated.conversation_id,
    curated.export_id,
    curated.language,
    curated.department,
    coalesce(curated.outcome, 'pending') as outcome,
    curated.category,
    curated.reason,
    curated.prompt_version,
    curated.taxonomy_version,
    curated.model,
    curated.answered_by,
    curated.user_pseudonym,
    curated.run_id,
    curated.app_model,
    curated.previous_outcome,
    curated.previous_category,
    curated.previous_reason,
    curated.previous_prompt_version,
    curated.previous_model,
    curated.inquiry_score,
    curated.attempts,
    curated.input_tokens,
    curated.output_tokens,
    curated.cost_micro_usd,
    curated.app_tokens,
    curated.previous_inquiry_score,
    curated.is_clipped,
    cast(try(from_iso8601_timestamp(curated.created_at) at time zone {{ timezone | sql_string }}) as date) as day,
    curated.created_at,
    curated.evaluated_at,
    curated.previous_evaluated_at
from conversations_curated as curated
left join changed
    on
        curated.export_id = changed.export_id
        and curated.conversation_id = changed.conversation_id
where
    curated.item_kind = 'conversation'
    and curated.layer = coalesce(changed.layer, '000000')
