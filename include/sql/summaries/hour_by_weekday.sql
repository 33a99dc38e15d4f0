-- hour_by_weekday: at what hour of which weekday conversations begin, month by month, over the days that daily_usage
-- tells alone. A pair without a row is of few people, or of nobody, or would give another away: absence is not zero.
-- Grain: one row per month, weekday and hour that readers are told. Reads: shown_pairs.
-- Columns: month, weekday (1 is Monday), hour (0 to 23, in the configured zone), conversations, users (distinct known
-- ones).
with
timed as (
    select
        month,
        cast(value as integer) as weekday,
        cast(paired as integer) as hour,
        conversations,
        users
    from shown_pairs_editions
    where
        edition = {{ edition.id | sql_string }}
        and dimension = 'weekday'
)

select *
from timed
order by month asc, weekday asc, hour asc
