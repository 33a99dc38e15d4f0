-- weekday_usage: on which days of the week the chat tool is used: means over the days that daily_usage tells alone.
-- Whole weeks hold each weekday once, so a sum over all days would tell of the few that are told with others.
-- Grain: one row per weekday. Reads: told.
-- Columns: weekday (1 is Monday), days, conversations, conversations_per_day.
with
days as (
    select
        day,
        weekday,
        real_day,
        min(real_day) over (partition by day) = max(real_day) over (partition by day) as is_alone
    from told_editions
    where
        edition = {{ edition.id | sql_string }}
        and day is not null
),

counted as (
    select
        weekday,
        count(distinct day) as days,
        count(*) as conversations
    from days
    where is_alone
    group by weekday
),

with_mean as (
    select
        weekday,
        days,
        conversations,
        cast(conversations as double) / cast(days as double) as conversations_per_day
    from counted
)

select *
from with_mean
order by weekday asc
