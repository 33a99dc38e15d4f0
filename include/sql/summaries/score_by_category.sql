-- score_by_category: how well people put their questions in each category, best first.
-- The interval is of 95 %, by persons and not by conversations, since those of one person are alike (linearised
-- variance of a ratio, W. G. Cochran, Sampling Techniques, 3rd ed., 1977, section 6.4).
-- Grain: one row per category, one more for what is pooled, `(few)`. Reads: told, the evaluated ones.
-- Columns: category, conversations, mean_inquiry_score, mean_low, mean_high (to two digits: all of them would tell the
-- sum of squares, and with it scores that are pooled).
with
by_person as (
    select
        category,
        person,
        count(*) as conversations,
        count(distinct user_pseudonym) as users,
        sum(cast(inquiry_score as bigint)) as score
    from told_editions
    where
        edition = {{ edition.id | sql_string }}
        and outcome = 'evaluated'
    group by category, person
),

summed as (
    select
        category,
        sum(conversations) as conversations,
        sum(users) as users,
        count(*) as persons,
        cast(sum(conversations) as double) as n,
        cast(sum(score) as double) as score,
        cast(sum(score * score) as double) as score_score,
        cast(sum(score * conversations) as double) as score_n,
        cast(sum(conversations * conversations) as double) as n_n
    from by_person
    group by category
),

centred as (
    select
        *,
        score / n as mean_score
    from summed
),

deviating as (
    select
        *,
        score_score - 2 * mean_score * score_n + mean_score * mean_score * n_n as squares
    from centred
),

varying as (
    select
        *,
        if(persons > 1, greatest(squares, 0) * persons / (persons - 1)) as variance_of_sum
    from deviating
),

estimated as (
    select
        *,
        1.959963984540054 * sqrt(variance_of_sum) / n as half
    from varying
),

with_interval as (
    select
        category,
        conversations,
        mean_score as mean_inquiry_score,
        round(mean_score - half, 2) as mean_low,
        round(mean_score + half, 2) as mean_high
    from estimated
    where users >= {{ min_users }}
)

select *
from with_interval
order by mean_inquiry_score desc, category asc
