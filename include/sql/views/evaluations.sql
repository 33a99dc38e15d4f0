-- evaluations: every conversation of every snapshot with its evaluation, in ordinary types; pending = not judged yet.
-- Grain: one row per conversation and snapshot. Reads: conversations_ion. The only place with casts and time zones.
-- Numbers arrive as decimal(38,0), whose average is a whole number, so they are cast. Times stay ISO 8601 text, since
-- Athena refuses a view with a `timestamp with time zone` column. A text that is no time gives no day, not an error.
-- Columns: conversation_id, export_id, language, outcome, category, reason, prompt_version, taxonomy_version, model,
-- answered_by, user_pseudonym, run_id, inquiry_score, attempts, input_tokens, output_tokens, cost_micro_usd,
-- is_clipped, day (of created_at, in the configured zone), created_at, evaluated_at.
create or replace view evaluations as
select
    conversation_id,
    export_id,
    language,
    coalesce(evaluation_outcome, 'pending') as outcome,
    evaluation_category as category,
    evaluation_reason as reason,
    evaluation_prompt_version as prompt_version,
    evaluation_taxonomy_version as taxonomy_version,
    evaluation_model as model,
    evaluation_answered_by as answered_by,
    evaluation_user_pseudonym as user_pseudonym,
    evaluation_run_id as run_id,
    cast(evaluation_inquiry_score as integer) as inquiry_score,
    cast(evaluation_attempts as bigint) as attempts,
    cast(evaluation_input_tokens as bigint) as input_tokens,
    cast(evaluation_output_tokens as bigint) as output_tokens,
    cast(evaluation_cost_micro_usd as bigint) as cost_micro_usd,
    evaluation_is_clipped as is_clipped,
    cast(try(from_iso8601_timestamp(created_at) at time zone {{ timezone | sql_string }}) as date) as day,
    created_at,
    evaluation_evaluated_at as evaluated_at
from conversations_ion
