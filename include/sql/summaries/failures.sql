-- failures: why conversations could not be judged, what that cost, and how to judge them again.
-- Grain: one row per reason, model and prompt version. Reads: evaluations, the quarantined ones of one snapshot.
-- Columns: reason, model, prompt_version, replay (the DAG's Param `reevaluate` that judges them again), conversations,
-- attempts (paid calls), input_tokens, output_tokens, cost_micro_usd, first_seen, last_seen.
with
counted as (
    select
        reason,
        model,
        prompt_version,
        'reason=' || reason || ';model=' || model || ';prompt_version=' || prompt_version as replay,
        count(*) as conversations,
        sum(attempts) as attempts,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_micro_usd) as cost_micro_usd,
        min(evaluated_at) as first_seen,
        max(evaluated_at) as last_seen
    from evaluations
    where
        export_id = {{ edition.export_id | sql_string }}
        and outcome = 'quarantined'
    group by reason, model, prompt_version
)

select *
from counted
order by conversations desc, reason asc, model asc, prompt_version asc
