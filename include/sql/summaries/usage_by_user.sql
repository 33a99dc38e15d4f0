-- usage_by_user: who uses the chat tool how much, by pseudonym, most conversations first; empty unless it is switched
-- on (Variable `chatcensus_per_user_table`), since each row is one person.
-- Grain: one row per user pseudonym, `unknown` for all conversations without a user.
-- Reads: told, the evaluated and quarantined ones; the mean is over the evaluated ones.
-- Columns: user_pseudonym, conversations, mean_inquiry_score, input_tokens, output_tokens, cost_micro_usd, last_day.
with
judged as (
    select
        if(outcome = 'evaluated', inquiry_score) as inquiry_score,
        input_tokens,
        output_tokens,
        cost_micro_usd,
        day,
        coalesce(user_pseudonym, 'unknown') as user_pseudonym
    from told_editions
    where
        edition = {{ edition.id | sql_string }}
        and outcome in ('evaluated', 'quarantined')
        and {{ per_user_table }}
),

counted as (
    select
        user_pseudonym,
        count(*) as conversations,
        avg(cast(inquiry_score as double)) as mean_inquiry_score,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_micro_usd) as cost_micro_usd,
        max(day) as last_day
    from judged
    group by user_pseudonym
)

select *
from counted
order by conversations desc, user_pseudonym asc
