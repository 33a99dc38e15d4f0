-- monthly_usage: how much the chat tool was used in each complete month, how well, and what judging it cost.
-- A month is the weeks of weekly_usage whose Thursday lies in it, so that months and weeks tell no part of a week.
-- Grain: one row per month. Reads: told, of complete months.
-- Columns: month (first day of the calendar month), first_day (Monday), last_day (Sunday), weeks, conversations,
-- evaluated, quarantined, pending, users (distinct known ones), coverage, mean_inquiry_score, cost_micro_usd.
with
counted as (
    select
        month,
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
        and month < date {{ edition.open_month | sql_string }}
    group by month
),

bounded as (
    select
        *,
        -- The Monday of the week of the month's first Thursday, and of the next month's.
        date_add('day', (11 - day_of_week(month)) % 7 - 3, month) as first_day,
        date_add(
            'day', (11 - day_of_week(date_add('month', 1, month))) % 7 - 3, date_add('month', 1, month)
        ) as next_first_day
    from counted
    where users >= {{ min_users }}
),

with_coverage as (
    select
        month,
        first_day,
        date_add('day', -1, next_first_day) as last_day,
        date_diff('day', first_day, next_first_day) / 7 as weeks,
        conversations,
        evaluated,
        quarantined,
        pending,
        users,
        cast(evaluated as double) / cast(conversations as double) as coverage,
        mean_inquiry_score,
        cost_micro_usd
    from bounded
)

select *
from with_coverage
order by month asc
