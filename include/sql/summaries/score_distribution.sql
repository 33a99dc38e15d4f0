-- score_distribution: how well people put their questions, from 1 to 5; a score nobody got has no row.
-- Grain: one row per inquiry score; null for what is pooled. Reads: told.
-- Columns: inquiry_score, conversations, users (distinct known ones), share (of all evaluated, 0 to 1), coverage
-- (evaluated of all).
with
counted as (
    select
        score as inquiry_score,
        count(*) as conversations,
        count(distinct user_pseudonym) as users
    from told_editions
    where
        edition = {{ edition.id | sql_string }}
        and outcome = 'evaluated'
    group by score
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
        counted.inquiry_score,
        counted.conversations,
        counted.users,
        cast(counted.conversations as double) / covered.evaluated as share,
        covered.evaluated / covered.conversations as coverage
    from counted
    cross join covered
    where counted.users >= {{ min_users }}
)

select *
from with_share
order by inquiry_score asc nulls last
