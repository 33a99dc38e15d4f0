-- rows: no table that readers have is suddenly empty.
-- Grain: one row per table. Reads: all tables, of this edition and of the published one; a small edition says little.
-- Those that may lose all of their rows while all is well say so in summaries.yaml (may_empty).
-- Columns: thing, actual (rows), expected, is_passed, remedy.
with
editions as (
    select
        {{ edition.id | sql_string }} as edition,
        true as is_new
    union all
    select
        edition,
        false as is_new
    from published
),

all_rows as (
    {% for summary in summaries if not summary.may_empty %}
        select
            {{ summary.table | sql_string }} as summary,
            edition
        from {{ summary.table }}_editions
        {{ "union all" if not loop.last }}
    {% endfor %}
),

counted as (
    select
        all_rows.summary,
        count_if(editions.is_new) as new_rows,
        count_if(not editions.is_new) as old_rows
    from all_rows
    inner join editions on all_rows.edition = editions.edition
    group by all_rows.summary
),

shown as (
    select coalesce(sum(category_counts_editions.conversations), 0) >= 20 as has_many
    from category_counts_editions
    inner join published on category_counts_editions.edition = published.edition
),

judged as (
    select
        counted.summary,
        counted.new_rows,
        counted.old_rows,
        shown.has_many and counted.new_rows = 0 as is_lost
    from counted
    cross join shown
),

first_lost as (
    select
        min(summary) as summary,
        min_by(old_rows, summary) as old_rows,
        count(*) as lost
    from judged
    where is_lost
)

select
    coalesce('rows of ' || summary, 'tables that are suddenly empty') as thing,
    '0' as actual,
    coalesce('at least 1, since the published edition has ' || cast(old_rows as varchar), '0') as expected,
    lost = 0 or {{ "true" if params.accept_drift else "false" }} as is_passed,
    coalesce(
        'look at the log of summarise.' || summary || ' and clear it; when the table is rightly empty, start a run '
        || 'with the Param accept_drift',
        'nothing'
    ) as remedy
from first_lost
