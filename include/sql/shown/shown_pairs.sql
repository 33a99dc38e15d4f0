-- shown_pairs: which pairs of a group and a category, and of a weekday and an hour, readers are told of a month. No
-- cell of fewer than min_users users is told, nor what would give one away: rows and columns stay silent, so that no
-- number in them can be worked out though all totals were known. The page on privacy has the rule and its proof. What
-- may be told of a month follows from its conversations alone, so that no later edition adds a cell to it; an edition
-- names what its shown_values and shown_series tell, with all of its conversations in the month. As in the series, a
-- category is the one that it was before the splits (category_before).
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
        held.category_before as category,
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

spans as (
    -- What is judged later may move its week, and with it others, to any month between the two.
    select
        real_month as first_month,
        coalesce(month, date '9999-12-31') as last_month,
        bool_or(outcome = 'pending') as has_pending
    from placed
    group by real_month, month
),

pending as (
    select
        last_month as month,
        min(if(has_pending, first_month)) over (order by last_month desc) as pending_from
    from spans
),

months as (
    select month
    from pending
    where
        month >= date_add('month', -13, date {{ edition.open_month | sql_string }})
        and month < date {{ edition.open_month | sql_string }}
    group by month
    having coalesce(min(pending_from) > month, true)
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
        pair.paired
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

cells as (
    -- Several cells are of enough users together if one of them is, or else if the few users of all are enough: nobody
    -- of a large cell is looked at again. Users are counted and listed with one filter: one set of them does.
    select
        month,
        dimension,
        value,
        paired,
        count(*) as conversations,
        count(distinct user_pseudonym) filter (where user_pseudonym is not null) as users,
        sum(inquiry_score) as scores,
        max(week) as last_week,
        max(coalesce(evaluated_at, '9999-12-31')) as judged_until,
        if(
            count(distinct user_pseudonym) filter (where user_pseudonym is not null) < {{ min_users }},
            array_agg(distinct user_pseudonym) filter (where user_pseudonym is not null)
        ) as few_users
    from pairs
    group by month, dimension, value, paired
),

named as (
    select
        cells.*,
        cells.dimension = 'weekday'
        or bool_and(
            coalesce(
                cells.judged_until <= value_told.counted_until
                and cells.last_week <= value_told.last_week
                and cells.value <> '(few)',
                false
            )
        ) over of_value as is_value_named,
        bool_and(
            coalesce(
                cells.judged_until <= paired_told.counted_until
                and cells.last_week <= paired_told.last_week
                and (cells.dimension = 'weekday' or series.category is not null),
                false
            )
        ) over of_column as is_paired_named,
        max(cells.users) over of_value >= {{ min_users }}
        or cardinality(array_distinct(flatten(array_agg(cells.few_users) over of_value))) >= {{ min_users }}
            as is_large,
        if(cells.users >= {{ min_users }}, cells.conversations, 0) as tellable
    from cells
    left join shown_values_editions as value_told
        on
            value_told.edition = {{ edition.id | sql_string }}
            and cells.dimension = value_told.dimension
            and cells.value = value_told.value
    left join shown_values_editions as paired_told
        on
            paired_told.edition = {{ edition.id | sql_string }}
            and paired_told.dimension = if(cells.dimension = 'weekday', 'hour', 'category')
            and cells.paired = paired_told.value
    left join shown_series_editions as series
        on
            series.edition = {{ edition.id | sql_string }}
            and series.grain = 'month'
            and cells.paired = series.category
    window
        of_value as (partition by cells.month, cells.dimension, cells.value),
        of_column as (partition by cells.month, cells.dimension, cells.paired)
),

costed as (
    -- Values of few people are one row, which is never told.
    select
        *,
        if(is_large, value, '') as row_name,
        sum(tellable) over (partition by month, dimension, is_large, if(is_large, value, '')) as row_cost,
        sum(tellable) over (partition by month, dimension, paired) as column_cost,
        bool_or(users < {{ min_users }}) over (partition by month, dimension, paired) as is_column_small
    from named
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

beside as (
    -- The rows that have something in the column of a cell, its own too. The thirty cheapest are enough to look at.
    select
        *,
        if(
            nth_row <= 30,
            array_distinct(
                array_agg(if(nth_row <= 30, row(nth_row, row_cost))) over (partition by month, dimension, nth_column)
            ),
            array[row(nth_row, row_cost)]
        ) as rows_beside
    from numbered
),

corners as (
    -- Blocks: two rows and two columns whose four cells are not empty. A cell is here once for each row that has
    -- something in its column; of two rows, the two columns that cost least make the cheapest block. Windows, not joins
    -- of cells with cells: what two CTEs read is computed twice, here from all conversations.
    select
        beside.*,
        other.nth_row as other_row,
        beside.row_cost + other.row_cost + beside.column_cost + min(beside.column_cost) over of_rows as block_cost,
        first_value(beside.nth_column) over of_rows as other_column,
        beside.nth_row < other.nth_row and dense_rank() over of_rows = 2 as is_block,
        beside.nth_row < other.nth_row
        and dense_rank() over (
            partition by beside.month, beside.dimension, beside.nth_row, other.nth_row
            order by beside.nth_column asc
        ) = 2 as is_second
    from beside
    cross join unnest(beside.rows_beside) as other (nth_row, row_cost)
    window
        of_rows as (
            partition by beside.month, beside.dimension, beside.nth_row, other.nth_row
            order by beside.column_cost asc, beside.nth_column asc
        )
),

blocks as (
    select
        *,
        first_value(if(is_block, nth_row)) over cheapest as row_1,
        first_value(if(is_block, other_row)) over cheapest as row_2,
        first_value(if(is_block, nth_column)) over cheapest as column_1,
        first_value(if(is_block, other_column)) over cheapest as column_2,
        min(if(is_second, nth_column)) over (partition by month, dimension) as until_block
    from corners
    window
        cheapest as (
            partition by month, dimension
            order by if(is_block, block_cost) asc nulls last, nth_row asc, other_row asc
        )
),

outside_block as (
    select
        *,
        coalesce(
            users >= {{ min_users }} and nth_row not in (row_1, row_2) and nth_column not in (column_1, column_2), false
        ) as is_outside
    from blocks
    where other_row = nth_row
),

rows_kept as (
    -- What is silent in a row is of min_users users together, and so is what is silent in a column.
    select
        *,
        is_outside
        and (
            max(if(is_outside, 0, users)) over of_value >= {{ min_users }}
            or cardinality(array_distinct(flatten(array_agg(if(not is_outside, few_users)) over of_value)))
            >= {{ min_users }}
        ) as is_in_row,
        max(users) over until_column >= {{ min_users }}
        or cardinality(array_distinct(flatten(array_agg(few_users) over until_column))) >= {{ min_users }} as is_enough
    from outside_block
    window
        of_value as (partition by month, dimension, value),
        until_column as (partition by month, dimension, value order by nth_column asc)
),

columns_kept as (
    select
        *,
        is_in_row
        and (
            max(if(is_in_row, 0, users)) over of_column >= {{ min_users }}
            or cardinality(array_distinct(flatten(array_agg(if(not is_in_row, few_users)) over of_column)))
            >= {{ min_users }}
        ) as is_around,
        min(if(is_enough, nth_column)) over (partition by month, dimension, value) as until_enough
    from rows_kept
    window of_column as (partition by month, dimension, paired)
),

ways as (
    select
        *,
        -- In whole columns everybody's hours would be told, and with their total what lies outside of the months.
        dimension <> 'weekday'
        and not is_column_small
        and nth_column > until_block
        and nth_column > max(until_enough) over (partition by month, dimension) as is_whole
    from columns_kept
),

weighed as (
    select
        *,
        sum(if(is_whole, conversations, 0)) over (partition by month, dimension) as in_whole_columns,
        sum(if(is_around, conversations, 0)) over (partition by month, dimension) as around_block
    from ways
),

shown as (
    select
        month,
        dimension,
        value,
        paired,
        conversations,
        users,
        cast(scores as double) / cast(conversations as double) as mean_inquiry_score
    from weighed
    where
        is_value_named
        and is_paired_named
        and ({{ min_users }} = 0 or if(in_whole_columns >= around_block, is_whole, is_around))
)

select *
from shown
order by month asc, dimension asc, value asc, paired asc
