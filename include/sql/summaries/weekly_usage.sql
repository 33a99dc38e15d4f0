-- weekly_usage: how much the chat tool was used in each complete week, how well, and what judging it cost.
-- Grain: one row per week with enough people, with the weeks before it that have too few. Reads: told, all with a known
-- day.
-- Columns: month, week (Monday), weeks (in this row), conversations, evaluated, quarantined, pending, users (distinct
-- known ones), coverage, mean_inquiry_score, cost_micro_usd.
with
counted as (
    select
        month,
        week,
        count(distinct real_week) as weeks,
        count(*) as conversations,
        count_if(outcome = 'evaluated') as evaluated,
        count_if(outcome = 'quarantined') as quarantined,
        count_if(outcome = 'pending') as pending,
        count(distinct user_pseudonym) as users,
        avg(cast(if(outcome = 'evaluated', inquiry_score) as double)) as mean_inquiry_score,
        coalesce(sum(cost_micro_usd), 0) as cost_micro_usd
    from told_editions
    where
        edition = {{ edition.id | sql_string }}
        and is_dated
    group by month, week
),

with_coverage as (
    select
        month,
        week,
        weeks,
        conversations,
        evaluated,
        quarantined,
        pending,
        users,
        cast(evaluated as double) / cast(conversations as double) as coverage,
        mean_inquiry_score,
        cost_micro_usd
    from counted
    where users >= {{ min_users }}
)

select *
from with_coverage
order by week asc
