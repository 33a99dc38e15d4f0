-- language_usage: in which languages people write, most used first.
-- Grain: one row per language; one more for what is pooled, `(few)`. Reads: told.
-- Columns: language, conversations, users (distinct known ones), share (of all evaluated, 0 to 1), coverage (evaluated
-- of all), mean_inquiry_score.
with
counted as (
    select
        language,
        count(*) as conversations,
        count(distinct user_pseudonym) as users,
        avg(cast(inquiry_score as double)) as mean_inquiry_score
    from told_editions
    where
        edition = {{ edition.id | sql_string }}
        and outcome = 'evaluated'
    group by language
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
        counted.language,
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
order by conversations desc, language asc
