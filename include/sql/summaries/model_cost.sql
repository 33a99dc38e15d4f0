-- model_cost: what each model was paid for judging, dearest first; answered_by is what really answered.
-- Grain: one row per model and answered_by. Reads: evaluations, the evaluated and quarantined ones of one snapshot.
-- Columns: model, answered_by, conversations, attempts (paid calls), input_tokens, output_tokens, cost_micro_usd.
with
counted as (
    select
        model,
        answered_by,
        count(*) as conversations,
        sum(attempts) as attempts,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_micro_usd) as cost_micro_usd
    from evaluations
    where
        export_id = {{ edition.export_id | sql_string }}
        and outcome in ('evaluated', 'quarantined')
    group by model, answered_by
)

select *
from counted
order by cost_micro_usd desc, model asc, answered_by asc
