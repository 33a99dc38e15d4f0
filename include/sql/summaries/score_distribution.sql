-- score_distribution: how well people put their questions, from 1 to 5; a score nobody got has no row.
-- Grain: one row per inquiry score. Reads: evaluations, the evaluated ones of one snapshot.
-- Columns: inquiry_score, conversations, share (of all evaluated, 0 to 1).
with
counted as (
    select
        inquiry_score,
        count(*) as conversations
    from evaluations
    where
        export_id = {{ export_id | sql_string }}
        and outcome = 'evaluated'
    group by inquiry_score
),

with_share as (
    select
        inquiry_score,
        conversations,
        cast(conversations as double) / cast(sum(conversations) over () as double) as share
    from counted
)

select *
from with_share
order by inquiry_score asc
