-- category_trends: each category's share week by week and month by month, and whether a change is more than noise.
-- The interval is of 95 %, by persons and not by conversations, since those of one person are alike (linearised
-- variance of a ratio, W. G. Cochran, Sampling Techniques, 3rd ed., 1977, section 6.4); that of a change takes the two
-- periods as independent, which is wider than need be where the same people ask.
-- Grain: one row per grain, period and category that is told in the series; `(few)` is the others. A category that
-- nobody asked for in a period has a row of zeros; one that was split since is told whole, so that its series goes on.
-- Reads: told, the evaluated ones.
-- Columns: grain (week or month), category, period (first day), conversations, users, share (of the period's
-- evaluated), share_low, share_high, previous_share (of the period before), change, change_low, change_high,
-- is_more_than_noise.
with
placed as (
    select
        series.grain,
        series.period,
        series.category,
        told.person,
        told.user_pseudonym
    from told_editions as told
    cross join
        unnest(
            array['week', 'month'],
            array[told.series_week, told.series_month],
            array[told.week_category, told.month_category]
        ) as series (grain, period, category)
    where
        told.edition = {{ edition.id | sql_string }}
        and told.outcome = 'evaluated'
        and series.period is not null
),

by_person as (
    select
        grain,
        period,
        category,
        person,
        count(*) as conversations,
        count(distinct user_pseudonym) as users
    from placed
    group by grain, period, category, person
),

of_person as (
    select
        *,
        sum(conversations) over (partition by grain, period, person) as person_conversations
    from by_person
),

periods as (
    select
        grain,
        period,
        count(distinct person) as persons,
        cast(sum(conversations) as double) as n,
        cast(sum(conversations * person_conversations) as double) as n_n,
        row_number() over (partition by grain order by period asc) as nth
    from of_person
    group by grain, period
),

cells as (
    select
        grain,
        period,
        category,
        sum(conversations) as conversations,
        sum(users) as users,
        cast(sum(conversations * conversations) as double) as y_y,
        cast(sum(conversations * person_conversations) as double) as y_n
    from of_person
    group by grain, period, category
),

categories as (
    select distinct
        grain,
        category
    from cells
),

filled as (
    select
        periods.grain,
        categories.category,
        periods.period,
        periods.nth,
        periods.persons,
        periods.n,
        periods.n_n,
        coalesce(cells.conversations, 0) as conversations,
        coalesce(cells.users, 0) as users,
        coalesce(cells.y_y, 0) as y_y,
        coalesce(cells.y_n, 0) as y_n
    from periods
    inner join categories on periods.grain = categories.grain
    left join cells
        on
            periods.grain = cells.grain
            and periods.period = cells.period
            and categories.category = cells.category
),

shared as (
    select
        *,
        cast(conversations as double) / n as share
    from filled
),

deviating as (
    select
        *,
        y_y - 2 * share * y_n + share * share * n_n as squares
    from shared
),

estimated as (
    select
        *,
        if(persons > 1, greatest(squares, 0) * persons / (persons - 1) / (n * n)) as variance
    from deviating
),

compared as (
    select
        *,
        lag(share) over (partition by grain, category order by nth asc) as previous_share,
        lag(variance) over (partition by grain, category order by nth asc) as previous_variance
    from estimated
),

with_intervals as (
    select
        *,
        1.959963984540054 * sqrt(variance) as half,
        share - previous_share as change,
        1.959963984540054 * sqrt(variance + previous_variance) as change_half
    from compared
),

told_trends as (
    select
        grain,
        category,
        period,
        conversations,
        users,
        share,
        greatest(share - half, 0) as share_low,
        least(share + half, 1) as share_high,
        previous_share,
        change,
        change - change_half as change_low,
        change + change_half as change_high,
        if(previous_share is not null, coalesce(abs(change) > change_half, false)) as is_more_than_noise
    from with_intervals
    where conversations = 0 or users >= {{ min_users }}
)

select *
from told_trends
order by grain asc, period asc, category asc
