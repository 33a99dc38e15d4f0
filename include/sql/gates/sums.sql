-- sums: tables that tell of the same conversations and the same money agree; `publish` adds up the rest.
-- Grain: one row per sum. Reads: evaluations of one snapshot, and tables of its edition.
-- Columns: thing, actual, expected, is_passed, remedy.
with
snapshot as (
    select
        count_if(outcome = 'evaluated') as evaluated,
        coalesce(sum(if(outcome in ('evaluated', 'quarantined'), cost_micro_usd)), 0) as cost_micro_usd
    from evaluations
    where export_id = {{ edition.export_id | sql_string }}
),

sums as (
    select
        'category_counts' as summary,
        'conversations' as counted,
        coalesce(sum(conversations), 0) as added_up
    from category_counts_editions
    where edition = {{ edition.id | sql_string }}
    union all
    select
        'score_distribution' as summary,
        'conversations' as counted,
        coalesce(sum(conversations), 0) as added_up
    from score_distribution_editions
    where edition = {{ edition.id | sql_string }}
    union all
    select
        'model_cost' as summary,
        'cost_micro_usd' as counted,
        coalesce(sum(cost_micro_usd), 0) as added_up
    from model_cost_editions
    where edition = {{ edition.id | sql_string }}
    union all
    select
        'judging_cost' as summary,
        'cost_micro_usd' as counted,
        coalesce(sum(cost_micro_usd), 0) as added_up
    from judging_cost_editions
    where edition = {{ edition.id | sql_string }}
),

days as (
    select
        week,
        sum(conversations) as conversations
    from daily_usage_editions
    where edition = {{ edition.id | sql_string }}
    group by week
),

weeks as (
    select
        weekly.week,
        weekly.conversations as told,
        days.conversations as added_up
    from weekly_usage_editions as weekly
    inner join days on weekly.week = days.week
    where weekly.edition = {{ edition.id | sql_string }}
),

wrong_week as (
    select
        min(week) as week,
        min_by(told, week) as told,
        min_by(added_up, week) as added_up
    from weeks
    where added_up > told
)

select
    sums.counted || ' of ' || sums.summary as thing,
    cast(sums.added_up as varchar) as actual,
    if(
        sums.counted = 'conversations',
        'at most ' || cast(snapshot.evaluated as varchar),
        cast(snapshot.cost_micro_usd as varchar)
    ) as expected,
    if(
        sums.counted = 'conversations',
        sums.added_up <= snapshot.evaluated,
        sums.added_up = snapshot.cost_micro_usd
    ) as is_passed,
    'clear the task summarise.' || sums.summary as remedy
from sums
cross join snapshot
union all
select
    coalesce('conversations of the days of the week of ' || cast(week as varchar), 'days beyond their week') as thing,
    coalesce(cast(added_up as varchar), '0') as actual,
    coalesce('at most ' || cast(told as varchar), '0') as expected,
    week is null as is_passed,
    'clear the tasks summarise.daily_usage and summarise.weekly_usage' as remedy
from wrong_week
