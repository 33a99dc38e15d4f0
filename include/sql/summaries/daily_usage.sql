-- daily_usage: how many conversations began on each day of the told weeks, and how far the census has come with them.
-- Grain: one row per day with enough people, with the days before it that have too few, and those at the end of its
-- week; a null day is a week none of whose days has enough. Reads: told, all with a known day. Users are those of
-- judged conversations: a pending one has no pseudonym yet.
-- Columns: week, day, days (with a conversation, in this row), conversations, evaluated, quarantined, pending, users
-- (distinct known ones), coverage (evaluated of conversations).
with
counted as (
    select
        week,
        day,
        count(distinct real_day) as days,
        count(*) as conversations,
        count_if(outcome = 'evaluated') as evaluated,
        count_if(outcome = 'quarantined') as quarantined,
        count_if(outcome = 'pending') as pending,
        count(distinct user_pseudonym) as users
    from told_editions
    where
        edition = {{ edition.id | sql_string }}
        and is_dated
    group by week, day
),

with_coverage as (
    select
        week,
        day,
        days,
        conversations,
        evaluated,
        quarantined,
        pending,
        users,
        cast(evaluated as double) / cast(conversations as double) as coverage
    from counted
    where users >= {{ min_users }}
)

select *
from with_coverage
order by week asc, day asc nulls last
