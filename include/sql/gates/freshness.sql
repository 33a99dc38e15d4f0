-- freshness: what is about to be published describes the present. An export that is no newer than the published one
-- will not take its place, and may be as old as it is.
-- Grain: one row. Reads: published. The present is the moment at which this try of the task began.
-- Columns: thing, actual, expected, is_passed, remedy.
with
moments as (
    select
        date_diff(
            'minute',
            from_iso8601_timestamp({{ edition.export_time | sql_string }}),
            from_iso8601_timestamp({{ checked_at | sql_string }})
        ) as age_minutes,
        coalesce(
            from_iso8601_timestamp({{ edition.export_time | sql_string }})
            <= max(from_iso8601_timestamp(export_time)),
            false
        ) as is_no_newer
    from published
)

select
    'age of the export in minutes' as thing,
    cast(age_minutes as varchar) as actual,
    'at most 1440' as expected,
    is_no_newer or age_minutes <= 1440 as is_passed,
    'start a new run, which makes a new export' as remedy
from moments
