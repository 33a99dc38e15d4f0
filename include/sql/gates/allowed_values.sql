-- allowed_values: an evaluation holds nothing but what an evaluation can hold.
-- Grain: one row, of the smallest offender. Reads: evaluations of one snapshot. A text that is no key is not shown.
-- Columns: thing, actual (conversations), expected, is_passed, remedy.
with
evaluated as (
    select
        case
            when outcome not in ('evaluated', 'quarantined', 'pending') then 'outcome'
            when
                outcome = 'evaluated'
                and coalesce(category, '') not in (
                    {% for each in taxonomy.categories %}
                        {{ each.key | sql_string }}{{ "," if not loop.last }}
                    {% endfor %}
                )
                then 'category'
            when outcome = 'evaluated' and coalesce(inquiry_score, 0) not between 1 and 5 then 'inquiry_score'
            when
                outcome = 'quarantined'
                and coalesce(reason, '') not in (
                    {% for reason in reasons %}
                        {{ reason | sql_string }}{{ "," if not loop.last }}
                    {% endfor %}
                )
                then 'reason'
            when attempts < 0 then 'attempts'
            when input_tokens < 0 then 'input_tokens'
            when output_tokens < 0 then 'output_tokens'
            when cost_micro_usd < 0 then 'cost_micro_usd'
        end as faulty,
        outcome,
        category,
        inquiry_score,
        reason
    from evaluations
    where export_id = {{ edition.export_id | sql_string }}
),

with_value as (
    select
        faulty,
        case faulty
            when 'outcome' then outcome
            when 'category' then coalesce(category, 'null')
            when 'inquiry_score' then coalesce(cast(inquiry_score as varchar), 'null')
            when 'reason' then coalesce(reason, 'null')
            else 'negative'
        end as held
    from evaluated
    where faulty is not null
),

offenders as (
    select
        faulty,
        if(regexp_like(held, '^-?[a-z0-9][a-z0-9_]{0,39}$'), held, '(no key)') as held,
        count(*) as conversations
    from with_value
    group by 1, 2
),

first_offender as (
    select
        min(faulty || ' ' || held) as offender,
        min_by(conversations, faulty || ' ' || held) as conversations,
        count(*) as offenders
    from offenders
)

select
    coalesce('evaluations with ' || offender, 'evaluations with a value that is not allowed') as thing,
    cast(coalesce(conversations, 0) as varchar) as actual,
    '0' as expected,
    offenders = 0 as is_passed,
    case
        when starts_with(offender, 'category ')
            then
                'put the category back into include/prompts/taxonomy.yaml, or judge these conversations again with '
                || 'the Param reevaluate'
        else
            'find out what else writes the attribute evaluation, and judge these conversations again with the Param '
            || 'reevaluate'
    end as remedy
from first_offender
