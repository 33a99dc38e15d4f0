-- concentration: how many people make a tenth, a quarter, half … of the use.
-- Grain: one row per share of use. Reads: told, the judged ones of known users.
-- Columns: share_of_use, users (fewest who make it; null under min_users), share_of_users (of all known ones).
with
by_user as (
    select
        user_pseudonym,
        count(*) as conversations
    from told_editions
    where
        edition = {{ edition.id | sql_string }}
        and outcome in ('evaluated', 'quarantined')
        and user_pseudonym is not null
    group by user_pseudonym
),

ranked as (
    select
        row_number() over (order by conversations desc, user_pseudonym asc) as nth,
        sum(conversations) over (
            order by conversations desc, user_pseudonym asc rows between unbounded preceding and current row
        ) as conversations,
        sum(conversations) over () as all_conversations,
        count(*) over () as all_users
    from by_user
),

needed as (
    select
        thresholds.percentage,
        min(ranked.nth) as users,
        max(ranked.all_users) as all_users
    from ranked
    cross join unnest(array[10, 25, 50, 75, 90]) as thresholds (percentage)
    where ranked.conversations * 100 >= thresholds.percentage * ranked.all_conversations
    group by thresholds.percentage
),

told as (
    select
        cast(percentage as double) / 100 as share_of_use,
        if(users >= {{ min_users }}, users) as users,
        if(users >= {{ min_users }}, cast(users as double) / cast(all_users as double)) as share_of_users
    from needed
)

select *
from told
order by share_of_use asc
