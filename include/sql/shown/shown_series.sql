-- shown_series: which categories readers are told week by week, and month by month. A category is, when it has
-- min_users users or none in every week (or month) of the series, and in what lies outside it; the others are pooled in
-- all of them, with one more where the pool of a week would be small or of one category alone (complementary
-- suppression). What the published edition pools stays pooled: told later, it could be taken from the older pool.
-- Categories are those of category_before: a split changes no series.
-- Grain: one row per grain and category. Reads: evaluations, the evaluated ones that shown_periods and shown_values of
-- this edition tell; shown_series of the published one. Series: 26 weeks, 13 months; a month is the sum of its weeks.
-- Columns: grain (week or month), category.
with
evaluated as (
    select
        held.user_pseudonym,
        held.category_before as category,
        coalesce(
            held.evaluated_at <= told.counted_until and (held.week is null or held.week <= told.last_week), false
        ) as is_told,
        series.told_with as week
    from evaluations as held
    left join shown_values_editions as told
        on
            told.edition = {{ edition.id | sql_string }}
            and told.dimension = 'category'
            and held.category_before = told.value
    left join shown_periods_editions as week
        on
            week.edition = {{ edition.id | sql_string }}
            and week.kind = 'week'
            and held.week = week.period
    left join shown_periods_editions as series
        on
            series.edition = {{ edition.id | sql_string }}
            and series.kind = 'series'
            and held.week = series.period
    where
        held.export_id = {{ edition.export_id | sql_string }}
        and held.outcome = 'evaluated'
        and (held.day is null or week.period is not null)
),

monthly as (
    select
        *,
        cast(date_trunc('month', date_add('day', 3, week)) as date) as month
    from evaluated
),

placed as (
    select
        monthly.user_pseudonym,
        monthly.category,
        monthly.is_told,
        series.grain,
        -- What lies outside the series is a period too: its difference from the whole would tell it.
        coalesce(series.period, date '0001-01-01') as period
    from monthly
    cross join unnest(
        array['week', 'month'],
        array[
            if(monthly.week >= date_add('day', -182, date {{ edition.open_week | sql_string }}), monthly.week),
            if(
                monthly.month >= date_add('month', -13, date {{ edition.open_month | sql_string }})
                and monthly.month < date {{ edition.open_month | sql_string }},
                monthly.month
            )
        ]
    ) as series (grain, period)
),

by_user as (
    select
        grain,
        period,
        category,
        is_told,
        user_pseudonym
    from placed
    group by grain, period, category, is_told, user_pseudonym
),

sized as (
    select
        *,
        count(user_pseudonym) over (partition by grain, period, category, is_told) as users
    from by_user
),

published_series as (
    select
        grain,
        category
    from shown_series
),

steadied as (
    select
        sized.*,
        sized.is_told
        and min(sized.users) over (partition by sized.grain, sized.category, sized.is_told) >= {{ min_users }}
        and (
            published_series.category is not null
            or {{ min_users }} = 0
            or (select count(*) from shown_values) = 0
        ) as is_steady
    from sized
    left join published_series
        on
            sized.grain = published_series.grain
            and sized.category = published_series.category
),

numbered as (
    select
        *,
        row_number()
            over (partition by grain, period, is_steady, user_pseudonym order by category asc)
            as nth_in_period,
        row_number()
            over (partition by grain, category, is_steady, user_pseudonym order by period asc)
            as nth_in_category
    from steadied
),

cells as (
    select
        grain,
        period,
        category,
        is_steady,
        count(user_pseudonym) as users,
        count_if(not is_steady and user_pseudonym is not null and nth_in_period = 1) as more_pooled_users,
        count_if(is_steady and user_pseudonym is not null and nth_in_category = 1) as more_users
    from numbered
    group by grain, period, category, is_steady
),

pools as (
    select
        *,
        count_if(not is_steady) over (partition by grain, period) > 0
        and sum(more_pooled_users) over (partition by grain, period) < {{ min_users }} as is_pool_small,
        row_number() over (partition by grain, period order by category asc, is_steady asc) as nth_of_period,
        row_number() over (partition by grain, category, is_steady order by period asc) as nth_of_category
    from cells
),

grains as (
    select
        *,
        count_if(is_pool_small and nth_of_period = 1) over (partition by grain) as small_pools,
        count_if(not is_steady and nth_of_category = 1) over (partition by grain) as suspects
    from pools
),

categories as (
    select
        grain,
        category,
        sum(more_users) as users,
        small_pools > 0 or suspects = 1 as needs_partner,
        count_if(is_pool_small and users >= {{ min_users }}) = small_pools as is_partner
    from grains
    where is_steady
    group by grain, category, small_pools, suspects
),

ranked as (
    select
        *,
        bool_or(is_partner) over (partition by grain) as has_partner,
        row_number() over (
            partition by grain
            order by if(is_partner, 0, 1) asc, users asc, category asc
        ) as nth
    from categories
),

shown as (
    select
        grain,
        category
    from ranked
    -- Where no category alone makes all small pools large enough, none is told.
    where not (needs_partner and (nth = 1 or not has_partner))
)

select *
from shown
order by grain asc, category asc
