-- judging_cost: what judging cost by day, category and model, the latest day first.
-- Grain: one row per day of judging, category (null: quarantined) and model. Reads: evaluations, the judged of one
-- snapshot.
-- Columns: category, model, judged_day, conversations, attempts (paid calls), input_tokens, output_tokens,
-- cost_micro_usd.
with
counted as (
    select
        category,
        model,
        judged_day,
        count(*) as conversations,
        sum(attempts) as attempts,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_micro_usd) as cost_micro_usd
    from evaluations
    where
        export_id = {{ edition.export_id | sql_string }}
        and outcome in ('evaluated', 'quarantined')
    group by category, model, judged_day
)

select *
from counted
order by judged_day desc, category asc nulls last, model asc
