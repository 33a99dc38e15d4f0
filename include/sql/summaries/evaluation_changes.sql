-- evaluation_changes: what re-evaluations changed: what an evaluation was, and what has taken its place.
-- Grain: one row per outcome, category, reason, prompt version and model, before and after. What was never judged again
-- has no row, and of several re-evaluations of one text only the last counts.
-- Reads: evaluations of one snapshot, those that hold a previous one of the same text.
-- Columns: previous_outcome, previous_category, previous_reason, previous_prompt_version, previous_model, outcome,
-- category, reason, prompt_version, model, conversations, previous_mean_inquiry_score, mean_inquiry_score.
with
counted as (
    select
        previous_outcome,
        previous_category,
        previous_reason,
        previous_prompt_version,
        previous_model,
        outcome,
        category,
        reason,
        prompt_version,
        model,
        count(*) as conversations,
        avg(cast(previous_inquiry_score as double)) as previous_mean_inquiry_score,
        avg(cast(inquiry_score as double)) as mean_inquiry_score
    from evaluations
    where
        export_id = {{ edition.export_id | sql_string }}
        and previous_outcome is not null
    group by
        previous_outcome, previous_category, previous_reason, previous_prompt_version, previous_model,
        outcome, category, reason, prompt_version, model
)

select *
from counted
order by
    conversations desc,
    previous_outcome asc,
    previous_category asc nulls last,
    previous_reason asc nulls last,
    previous_prompt_version asc,
    previous_model asc,
    outcome asc,
    category asc nulls last,
    reason asc nulls last,
    prompt_version asc,
    model asc
