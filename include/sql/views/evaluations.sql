-- evaluations: every conversation of every snapshot with its evaluation; pending = not judged yet. For those who run
-- the census: it hides nothing.
-- Grain: one row per conversation and snapshot. Reads: conversations_curated. The only place with time zones.
-- A snapshot is layer 000000, from a full export, and one layer for each increment after it: the newest row of a
-- conversation counts, and is not shown when it says that the conversation is gone. Times stay ISO 8601 text, since
-- Athena refuses a view with a `timestamp with time zone` column. A text that is no time gives no day, not an error.
-- A category that was renamed or merged since it was judged has the name of today; category_before is the one that can
-- be compared over all taxonomy versions, since no split is younger: include/prompts/crosswalk.yaml.
-- A week begins on Monday; a month is the whole weeks whose Thursday lies in it (chatcensus/edition.py says why).
-- Columns: conversation_id (keyed), export_id, language, department, user_group, outcome, category, category_before,
-- reason, prompt_version, taxonomy_version, model, answered_by, user_pseudonym, run_id, app_model, previous_outcome,
-- previous_category, previous_reason, previous_prompt_version, previous_model, inquiry_score, attempts, input_tokens,
-- output_tokens, cost_micro_usd, app_tokens, previous_inquiry_score, is_clipped, hour, weekday (1 is Monday), day,
-- week, month (the five of created_at, in the configured zone), judged_day (of evaluated_at, likewise), created_at,
-- evaluated_at, previous_evaluated_at.
create or replace view evaluations as
with
changed as (
    select
        export_id,
        conversation_id,
        max(layer) as layer
    from conversations_curated
    where layer > '000000'
    group by export_id, conversation_id
),

timed as (
    select
        *,
        try(from_iso8601_timestamp(created_at) at time zone {{ timezone | sql_string }}) as began,
        try(from_iso8601_timestamp(evaluated_at) at time zone {{ timezone | sql_string }}) as judged
    from conversations_curated
),

named as (
    select
        *,
        {% if crosswalk.renames %}
            case
                {% for version, key, name in crosswalk.renames %}
                    when taxonomy_version = {{ version | sql_string }} and category = {{ key | sql_string }}
                        then {{ name | sql_string }}
                {% endfor %}
                else category
            end
        {% else %}
            category
        {% endif %}
            as category_today
    from timed
)

select
    curated.conversation_id,
    curated.export_id,
    curated.language,
    curated.department,
    curated.user_group,
    coalesce(curated.outcome, 'pending') as outcome,
    curated.category_today as category,
    {% if crosswalk.comparable %}
        case curated.category_today
            {% for key, name in crosswalk.comparable %}
                when {{ key | sql_string }} then {{ name | sql_string }}
            {% endfor %}
            else curated.category_today
        end
    {% else %}
        curated.category_today
    {% endif %}
        as category_before,
    curated.reason,
    curated.prompt_version,
    curated.taxonomy_version,
    curated.model,
    curated.answered_by,
    curated.user_pseudonym,
    curated.run_id,
    curated.app_model,
    curated.previous_outcome,
    curated.previous_category,
    curated.previous_reason,
    curated.previous_prompt_version,
    curated.previous_model,
    curated.inquiry_score,
    curated.attempts,
    curated.input_tokens,
    curated.output_tokens,
    curated.cost_micro_usd,
    curated.app_tokens,
    curated.previous_inquiry_score,
    curated.is_clipped,
    cast(hour(curated.began) as integer) as hour,
    cast(day_of_week(curated.began) as integer) as weekday,
    cast(curated.began as date) as day,
    cast(date_trunc('week', cast(curated.began as date)) as date) as week,
    cast(date_trunc('month', date_add('day', 3, date_trunc('week', cast(curated.began as date)))) as date) as month,
    cast(curated.judged as date) as judged_day,
    curated.created_at,
    curated.evaluated_at,
    curated.previous_evaluated_at
from named as curated
left join changed
    on
        curated.export_id = changed.export_id
        and curated.conversation_id = changed.conversation_id
where
    curated.item_kind = 'conversation'
    and curated.layer = coalesce(changed.layer, '000000')
