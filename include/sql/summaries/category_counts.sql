-- category_counts: how many conversations fall in each category, most used first.
-- Grain: one row per category. Reads: evaluations, the evaluated ones of one snapshot.
-- Columns: category, conversations, users (distinct known ones), mean_inquiry_score, share (of all evaluated, 0 to 1).
with
counted as (
    select
        category,
        count(*) as conversations,
        count(distinct user_pseudonym) as users,
        avg(cast(inquiry_score as double)) as mean_inquiry_score
    from evaluations
    where
        export_id = {{ export_id | sql_string }}
        and outcome = 'evaluated'
    group by category
),

with_share as (
    select
        category,
        conversations,
        users,
        mean_inquiry_score,
        cast(conversations as double) / cast(sum(conversations) over () as double) as share
    from counted
)

select *
from with_share
order by conversations desc, category asc
