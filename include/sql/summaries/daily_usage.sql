-- daily_usage: how many conversations began on each day, and how far the census has come with them.
-- Grain: one row per day in the configured time zone, one more without a day for conversations of unknown time.
-- Reads: evaluations of one snapshot. Users are those of judged conversations: a pending one has no pseudonym yet.
-- Columns: day, conversations, evaluated, quarantined, pending, users (distinct known ones).
with
counted as (
    select
        day,
        count(*) as conversations,
        count_if(outcome = 'evaluated') as evaluated,
        count_if(outcome = 'quarantined') as quarantined,
        count_if(outcome = 'pending') as pending,
        count(distinct user_pseudonym) as users
    from evaluations
    where export_id = {{ export_id | sql_string }}
    group by day
)

select *
from counted
order by day asc nulls last
