-- shown_periods: with which day each day is told to readers, and with which week each week. One of too few people is
-- told together with the next that has min_users users, and the last days of a week with the last such day before them:
-- a period of few people is never the difference of others. A week that waits for the next is not told at all.
-- Grain: one row per kind and period. Reads: evaluations, all of complete weeks whose day is known.
-- Kinds: day, week, and series: the weeks of category_trends, each of four times min_users users.
-- Columns: kind, period (first day), told_with (first day of the period in which it is told).
with
placed as (
    select
        week,
        day,
        user_pseudonym,
        row_number() over (partition by week, user_pseudonym order by day asc) as nth_in_week
    from evaluations
    where
        export_id = {{ edition.export_id | sql_string }}
        and day < date {{ edition.open_week | sql_string }}
    group by week, day, user_pseudonym
),

sized as (
    select
        *,
        count(user_pseudonym) over (partition by day) as day_users,
        count(if(nth_in_week = 1, user_pseudonym)) over (partition by week) as week_users
    from placed
),

blocked as (
    select
        *,
        min(if(week_users >= {{ min_users }}, week)) over (
            order by week asc range between current row and unbounded following
        ) as told_week
    from sized
),

numbered as (
    select
        *,
        row_number() over (partition by told_week, user_pseudonym order by day asc) as nth_in_block,
        min(if(day_users >= {{ min_users }}, day)) over (
            partition by told_week
            order by day asc range between current row and unbounded following
        ) as next_day,
        max(if(day_users >= {{ min_users }}, day)) over (partition by told_week) as last_day
    from blocked
    where told_week is not null
),

filled as (
    select
        *,
        count(if(nth_in_block = 1, user_pseudonym)) over (partition by told_week) as block_users
    from numbered
),

joined as (
    select
        week,
        day,
        told_week,
        coalesce(next_day, last_day) as told_day,
        min(if(block_users >= 4 * {{ min_users }}, told_week)) over (
            order by week asc range between current row and unbounded following
        ) as series_week
    from filled
),

told as (
    select distinct
        place.kind,
        place.period,
        place.told_with
    from joined
    cross join
        unnest(
            array['day', 'week', 'series'],
            array[joined.day, joined.week, joined.week],
            array[joined.told_day, joined.told_week, joined.series_week]
        ) as place (kind, period, told_with)
    where place.told_with is not null
)

select *
from told
order by kind asc, period asc
