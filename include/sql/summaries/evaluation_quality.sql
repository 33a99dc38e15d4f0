-- evaluation_quality: how each model and prompt version did: first attempts, clipped texts, quarantine.
-- Grain: one row per model, prompt version, outcome and reason; what is pending has no model and is one row.
-- Reads: evaluations of one snapshot.
-- Columns: model, prompt_version, outcome, reason (quarantined only), conversations, first_attempt, clipped.
with
counted as (
    select
        model,
        prompt_version,
        outcome,
        reason,
        count(*) as conversations,
        count_if(attempts = 1) as first_attempt,
        count_if(is_clipped) as clipped
    from evaluations
    where export_id = {{ edition.export_id | sql_string }}
    group by model, prompt_version, outcome, reason
)

select *
from counted
order by model asc nulls last, prompt_version asc, outcome asc, conversations desc, reason asc
