-- hour_usage: at what hour of the day conversations begin, in the configured zone.
-- Grain: one row per hour, 0 to 23; null for what is pooled and for unknown times. Reads: told.
-- Columns: hour, conversations, users (distinct known ones), share (of all evaluated, 0 to 1), coverage (evaluated of
-- all), mean_inquiry_score.
with
counted as (
    select
        hour,
        count(*) as conversations,
        count(distinct user_pseudonym) as users,
        avg(cast(inquiry_score as double)) as mean_inquiry_score
    from told_editions
    where
        edition = {{ edition.id | sql_string }}
        and outcome = 'evaluated'
    group by hour
),

covered as (
    select
        cast(count_if(outcome = 'evaluated') as double) as evaluated,
        cast(count(*) as double) as conversations
    from told_editions
    where edition = {{ edition.id | sql_string }}
),

with_share as (
    select
        counted.hour,
        counted.conversations,
        counted.users,
        cast(counted.conversations as double) / covered.evaluated as share,
        covered.evaluated / covered.conversations as coverage,
        counted.mean_inquiry_score
    from counted
    cross join covered
    where counted.users >= {{ min_users }}
)

select *
from with_share
order by hour asc nulls last
