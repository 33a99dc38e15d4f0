-- shown_pairs: which pairs of a group and a category, and of a weekday and an hour, readers are told of a month. No
-- cell of fewer than min_users users is told, nor what would give one away: rows and columns stay silent, so that no
-- number in them can be worked out though all totals were known. The page on privacy has the rule and its proof. What
-- may be told of a month follows from its conversations alone, so that no later edition adds a cell to it; an edition
-- names what its shown_values and shown_series tell, with all of its conversations in the month.
-- Grain: one row per month, dimension, value and what it is paired with. Reads: evaluations, the evaluated ones of the
-- last 13 complete months of category_trends in which nothing is pending (pairs of a weekday: of days that are told
-- alone); shown_periods, shown_values and shown_series of this edition.
-- Columns: month, dimension, value, paired (a category; an hour where the dimension is weekday), conversations, users,
-- mean_inquiry_score.
with
periods as (
    select
        kind,
        period,
        told_with
    from shown_periods_editions
    where edition = {{ edition.id | sql_string }}
),

days_alone as (
    select told_with as day
    from periods
    where kind = 'day'
    group by told_with
    having count(*) = 1
),

placed as (
    select
        held.outcome,
        held.user_pseudonym,
        held.category,
        held.department,
        held.user_group,
        held.app_model,
        held.language,
        held.hour,
        held.inquiry_score,
        held.evaluated_at,
        held.week,
        held.month as real_month,
        if(days_alone.day is not null, held.weekday) as weekday,
        cast(date_trunc('month', date_add('day', 3, series.told_with)) as date) as month
    from evaluations as held
    left join periods as series
        on
            series.kind = 'series'
            and held.week = series.period
    left join days_alone on held.day = days_alone.day
    where
        held.export_id = {{ edition.export_id | sql_string }}
        and held.day < date {{ edition.open_week | sql_string }}
),

pending as (
    -- What is judged later may move its week, and with it others, to any month between these two.
    select distinct
        real_month as first_month,
        coalesce(month, date '9999-12-31') as last_month
    from placed
    where outcome = 'pending'
),

months as (
    select placed.month
    from placed
    left join pending
        on
            placed.month >= pending.first_month
            and placed.month <= pending.last_month
    where
        placed.month >= date_add('month', -13, date {{ edition.open_month | sql_string }})
        and placed.month < date {{ edition.open_month | sql_string }}
    group by placed.month
    having count(pending.first_month) = 0
),

pairs as (
    select
        placed.month,
        placed.user_pseudonym,
        placed.inquiry_score,
        placed.evaluated_at,
        placed.week,
        pair.dimension,
        pair.value,
        pair.paired,
        if(pair.dimension = 'weekday', 'hour', 'category') as paired_dimension
    from placed
    inner join months on placed.month = months.month
    cross join
        unnest(
            array['department', 'user_group', 'app_model', 'language', 'weekday'],
            array[
                coalesce(placed.department, 'unknown'),
                coalesce(placed.user_group, 'unknown'),
                coalesce(placed.app_model, 'unknown'),
                coalesce(placed.language, 'unknown'),
                cast(placed.weekday as varchar)
            ],
            array[
                placed.category,
                placed.category,
                placed.category,
                placed.category,
                cast(placed.hour as varchar)
            ]
        ) as pair (dimension, value, paired)
    where
        placed.outcome = 'evaluated'
        and pair.value is not null
),

named as (
    select
        pairs.*,
        pairs.dimension = 'weekday'
        or coalesce(
            pairs.evaluated_at <= value_told.counted_until
            and pairs.week <= value_told.last_week
            and pairs.value <> '(few)',
            false
        ) as is_value_told,
        coalesce(pairs.evaluated_at <= paired_told.counted_until and pairs.week <= paired_told.last_week, false)
        and (pairs.dimension = 'weekday' or series.category is not null) as is_paired_told
    from pairs
    left join shown_values_editions as value_told
        on
            value_told.edition = {{ edition.id | sql_string }}
            and pairs.dimension = value_told.dimension
            and pairs.value = value_told.value
    left join shown_values_editions as paired_told
        on
            paired_told.edition = {{ edition.id | sql_string }}
            and pairs.paired_dimension = paired_told.dimension
            and pairs.paired = paired_told.value
    left join shown_series_editions as series
        on
            series.edition = {{ edition.id | sql_string }}
            and series.grain = 'month'
            and pairs.paired = series.category
),

by_user as (
    select
        month,
        dimension,
        value,
        paired,
        user_pseudonym,
        count(*) as conversations,
        sum(inquiry_score) as scores,
        bool_and(is_value_told) as is_value_told,
        bool_and(is_paired_told) as is_paired_told,
        row_number() over (
            partition by month, dimension, value, user_pseudonym
            order by paired asc
        ) as nth_of_user
    from named
    group by month, dimension, value, paired, user_pseudonym
),

sized as (
    select
        *,
        count(user_pseudonym) over (partition by month, dimension, value, paired) as users,
        count(if(nth_of_user = 1, user_pseudonym)) over (partition by month, dimension, value) as value_users
    from by_user
),

cells as (
    -- Values of few people are one row, which is never told.
    select
        month,
        dimension,
        value,
        paired,
        value_users >= {{ min_users }} as is_large,
        if(value_users >= {{ min_users }}, value, '') as row_name,
        users,
        if(users >= {{ min_users }}, sum(conversations), 0) as tellable,
        bool_and(is_value_told) as is_value_told,
        bool_and(is_paired_told) as is_paired_told
    from sized
    group by month, dimension, value, paired, value_users, users
),

costed as (
    select
        *,
        sum(tellable) over (partition by month, dimension, is_large, row_name) as row_cost,
        sum(tellable) over (partition by month, dimension, paired) as column_cost,
        bool_or(users < {{ min_users }}) over (partition by month, dimension, paired) as is_column_small
    from cells
),

numbered as (
    select
        *,
        dense_rank() over (
            partition by month, dimension
            order by row_cost asc, if(is_large, 1, 0) asc, row_name asc
        ) as nth_row,
        dense_rank() over (
            partition by month, dimension
            order by if(is_column_small, 0, 1) asc, column_cost asc, paired asc
        ) as nth_column
    from costed
),

filled as (
    -- Blocks: two rows and two columns whose four cells are not empty. The thirty cheapest rows are enough to look at.
    select distinct
        month,
        dimension,
        nth_row,
        nth_column,
        row_cost,
        column_cost
    from numbered
    where nth_row <= 30
),

neighbours as (
    select
        one.month,
        one.dimension,
        one.nth_row as row_1,
        other.nth_row as row_2,
        one.nth_column,
        one.row_cost + other.row_cost as rows_cost,
        one.column_cost
    from filled as one
    inner join filled as other
        on
            one.month = other.month
            and one.dimension = other.dimension
            and one.nth_column = other.nth_column
            and one.nth_row < other.nth_row
),

blocks as (
    select
        one.month,
        one.dimension,
        one.row_1,
        one.row_2,
        one.nth_column as column_1,
        other.nth_column as column_2,
        min(other.nth_column) over (partition by one.month, one.dimension) as until_block,
        row_number() over (
            partition by one.month, one.dimension
            order by
                one.rows_cost + one.column_cost + other.column_cost asc,
                one.row_1 asc,
                one.row_2 asc,
                one.nth_column asc,
                other.nth_column asc
        ) as nth
    from neighbours as one
    inner join neighbours as other
        on
            one.month = other.month
            and one.dimension = other.dimension
            and one.row_1 = other.row_1
            and one.row_2 = other.row_2
            and one.nth_column < other.nth_column
),

outside_block as (
    select
        numbered.*,
        blocks.until_block,
        coalesce(
            numbered.users >= {{ min_users }}
            and numbered.nth_row not in (blocks.row_1, blocks.row_2)
            and numbered.nth_column not in (blocks.column_1, blocks.column_2),
            false
        ) as is_outside,
        bool_and(numbered.is_value_told) over (partition by numbered.month, numbered.dimension, numbered.value)
            as is_value_named,
        bool_and(numbered.is_paired_told) over (partition by numbered.month, numbered.dimension, numbered.paired)
            as is_paired_named
    from numbered
    left join blocks
        on
            numbered.month = blocks.month
            and numbered.dimension = blocks.dimension
            and blocks.nth = 1
),

of_users as (
    select
        outside_block.*,
        by_user.user_pseudonym,
        by_user.conversations,
        by_user.scores,
        min(outside_block.nth_column)
            over (partition by by_user.month, by_user.dimension, by_user.value, by_user.user_pseudonym)
            as first_of_user
    from by_user
    inner join outside_block
        on
            by_user.month = outside_block.month
            and by_user.dimension = outside_block.dimension
            and by_user.value = outside_block.value
            and by_user.paired = outside_block.paired
),

silent_in_rows as (
    -- What is silent in a row is of min_users users together, and so is what is silent in a column.
    select
        *,
        min(if(not is_outside, nth_column))
            over (partition by month, dimension, value, user_pseudonym)
            as first_silent,
        count(if(nth_column = first_of_user, user_pseudonym))
            over (partition by month, dimension, value order by nth_column asc)
            as users_so_far
    from of_users
),

rows_kept as (
    select
        *,
        is_outside
        and count(if(nth_column = first_silent, user_pseudonym)) over (partition by month, dimension, value)
        >= {{ min_users }} as is_in_row,
        min(if(users_so_far >= {{ min_users }}, nth_column)) over (partition by month, dimension, value) as until_enough
    from silent_in_rows
),

silent_in_columns as (
    select
        *,
        min(if(not is_in_row, value))
            over (partition by month, dimension, paired, user_pseudonym)
            as first_silent_value,
        -- In whole columns everybody's hours would be told, and with their total what lies outside of the months.
        dimension <> 'weekday'
        and not is_column_small
        and nth_column > until_block
        and nth_column > max(until_enough) over (partition by month, dimension) as is_whole
    from rows_kept
),

columns_kept as (
    select
        *,
        is_in_row
        and count(if(value = first_silent_value, user_pseudonym)) over (partition by month, dimension, paired)
        >= {{ min_users }} as is_around
    from silent_in_columns
),

weighed as (
    select
        *,
        sum(if(is_whole, conversations, 0)) over (partition by month, dimension) as in_whole_columns,
        sum(if(is_around, conversations, 0)) over (partition by month, dimension) as around_block
    from columns_kept
),

shown as (
    select
        month,
        dimension,
        value,
        paired,
        sum(conversations) as conversations,
        count(user_pseudonym) as users,
        cast(sum(scores) as double) / cast(sum(conversations) as double) as mean_inquiry_score
    from weighed
    where
        is_value_named
        and is_paired_named
        and ({{ min_users }} = 0 or if(in_whole_columns >= around_block, is_whole, is_around))
    group by month, dimension, value, paired
)

select *
from shown
order by month asc, dimension asc, value asc, paired asc
