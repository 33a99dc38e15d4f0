-- drift: no share of a category jumps without somebody having looked: in the last week, or in all that is counted.
-- Grain: one row, of the largest move. Reads: category_trends and category_counts, of this edition and of the
-- published one. A week that readers have seen already is not asked about again; the first edition has nothing to
-- compare with, and of fewer than 100 conversations shares jump by chance.
-- Columns: thing, actual, expected, is_passed, remedy.
with
old_counts as (
    select
        category_counts_editions.category,
        category_counts_editions.conversations,
        category_counts_editions.share
    from category_counts_editions
    inner join published on category_counts_editions.edition = published.edition
),

new_counts as (
    select
        category,
        share
    from category_counts_editions
    where edition = {{ edition.id | sql_string }}
),

old_weeks as (
    select max(category_trends_editions.period) as last_week
    from category_trends_editions
    inner join published on category_trends_editions.edition = published.edition
    where category_trends_editions.grain = 'week'
),

new_weeks as (
    select
        category,
        period,
        share,
        previous_share,
        is_more_than_noise,
        max(period) over () as last_week
    from category_trends_editions
    where
        edition = {{ edition.id | sql_string }}
        and grain = 'week'
),

shown as (
    select coalesce(sum(conversations), 0) >= 100 as has_many
    from old_counts
),

moves as (
    select
        'share of ' || new_weeks.category || ' in the week of ' || cast(new_weeks.period as varchar) as thing,
        new_weeks.category,
        new_weeks.previous_share,
        new_weeks.share
    from new_weeks
    cross join old_weeks
    where
        new_weeks.period = new_weeks.last_week
        and new_weeks.is_more_than_noise
        and new_weeks.period > coalesce(old_weeks.last_week, date '1970-01-01')
    union all
    select
        'share of ' || coalesce(new_counts.category, old_counts.category) || ' in all conversations' as thing,
        coalesce(new_counts.category, old_counts.category) as category,
        coalesce(old_counts.share, 0) as previous_share,
        coalesce(new_counts.share, 0) as share
    from new_counts
    full outer join old_counts on new_counts.category = old_counts.category
),

largest as (
    select
        100 * max(abs(moves.share - moves.previous_share)) as points,
        max_by(moves.thing, abs(moves.share - moves.previous_share)) as thing,
        max_by(moves.previous_share, abs(moves.share - moves.previous_share)) as previous_share,
        max_by(moves.share, abs(moves.share - moves.previous_share)) as share
    from moves
    cross join shown
    where
        shown.has_many
        and moves.category <> '(few)' -- what is pooled changes with who is told apart
)

select
    coalesce(thing, 'shares of categories') as thing,
    coalesce(
        'from ' || cast(cast(100 * previous_share as decimal(5, 1)) as varchar)
        || ' to ' || cast(cast(100 * share as decimal(5, 1)) as varchar) || ' percent',
        'nothing to compare with'
    ) as actual,
    'a move of at most {{ params.max_drift_points | float }} points' as expected,
    coalesce(points <= {{ params.max_drift_points | float }}, true)
    or {{ "true" if params.accept_drift else "false" }} as is_passed,
    'look for another model or prompt in evaluation_quality, and for what changed in the chat tool; when people did '
    || 'change, start a run with the Param accept_drift' as remedy
from largest
