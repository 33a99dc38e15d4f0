-- told: every conversation of told weeks, or of an unknown day, under the values and periods that readers are told: the
-- one place where small groups are pooled. Every table for readers is a sum over it. Pooled is `(few)`, or null where
-- the column is no text.
-- Grain: one row per conversation. Reads: evaluations of one snapshot; shown_values, shown_periods, shown_series of
-- this edition. Values are those of evaluated conversations, and null for the others. A category that was split is told
-- in its parts, where those may be told apart; the series (week_category, month_category) always tell it whole.
-- Columns: outcome, user_pseudonym, person (the user, or an unknown one for itself), category, department, user_group,
-- app_model, language, week_category, month_category, score, hour, inquiry_score (as it is), input_tokens,
-- output_tokens, cost_micro_usd, is_dated, weekday, day, real_day, week, real_week, month, series_week, series_month.
with
values_told as (
    select
        dimension,
        value,
        counted_until,
        last_week
    from shown_values_editions
    where edition = {{ edition.id | sql_string }}
),

periods_told as (
    select
        kind,
        period,
        told_with
    from shown_periods_editions
    where edition = {{ edition.id | sql_string }}
),

series_told as (
    select
        grain,
        category
    from shown_series_editions
    where edition = {{ edition.id | sql_string }}
),

labelled as (
    select
        held.outcome,
        held.user_pseudonym,
        coalesce(held.user_pseudonym, held.conversation_id) as person,
        held.inquiry_score,
        held.input_tokens,
        held.output_tokens,
        held.cost_micro_usd,
        held.weekday,
        held.outcome = 'evaluated' as is_evaluated,
        held.day is not null as is_dated,
        if(
            held.evaluated_at <= category_told.counted_until
            and (held.week is null or held.week <= category_told.last_week),
            category_told.value,
            '(few)'
        ) as category_label,
        if(
            held.evaluated_at <= part_told.counted_until
            and (held.week is null or held.week <= part_told.last_week),
            part_told.value
        ) as part_label,
        if(
            held.evaluated_at <= score_told.counted_until and (held.week is null or held.week <= score_told.last_week),
            score_told.value,
            '(few)'
        ) as score_label,
        if(
            held.evaluated_at <= department_told.counted_until
            and (held.week is null or held.week <= department_told.last_week),
            department_told.value,
            '(few)'
        ) as department_label,
        if(
            held.evaluated_at <= user_group_told.counted_until
            and (held.week is null or held.week <= user_group_told.last_week),
            user_group_told.value,
            '(few)'
        ) as user_group_label,
        if(
            held.evaluated_at <= app_model_told.counted_until
            and (held.week is null or held.week <= app_model_told.last_week),
            app_model_told.value,
            '(few)'
        ) as app_model_label,
        if(
            held.evaluated_at <= language_told.counted_until
            and (held.week is null or held.week <= language_told.last_week),
            language_told.value,
            '(few)'
        ) as language_label,
        if(
            held.evaluated_at <= hour_told.counted_until and (held.week is null or held.week <= hour_told.last_week),
            hour_told.value,
            '(few)'
        ) as hour_label,
        day_told.told_with as day,
        week_told.told_with as week,
        held.day as real_day,
        held.week as real_week,
        cast(date_trunc('month', date_add('day', 3, week_told.told_with)) as date) as month,
        series_told_with.told_with as series_week,
        cast(date_trunc('month', date_add('day', 3, series_told_with.told_with)) as date) as series_month
    from evaluations as held
    left join values_told as category_told
        on
            category_told.dimension = 'category'
            and held.category_before = category_told.value
    left join values_told as part_told
        on
            part_told.dimension = 'part'
            and held.category = part_told.value
    left join values_told as score_told
        on
            score_told.dimension = 'inquiry_score'
            and score_told.value = cast(held.inquiry_score as varchar)
    left join values_told as department_told
        on
            department_told.dimension = 'department'
            and department_told.value = coalesce(held.department, 'unknown')
    left join values_told as user_group_told
        on
            user_group_told.dimension = 'user_group'
            and user_group_told.value = coalesce(held.user_group, 'unknown')
    left join values_told as app_model_told
        on
            app_model_told.dimension = 'app_model'
            and app_model_told.value = coalesce(held.app_model, 'unknown')
    left join values_told as language_told
        on
            language_told.dimension = 'language'
            and language_told.value = coalesce(held.language, 'unknown')
    left join values_told as hour_told
        on
            hour_told.dimension = 'hour'
            and hour_told.value = cast(held.hour as varchar)
    left join periods_told as day_told
        on
            day_told.kind = 'day'
            and held.day = day_told.period
    left join periods_told as week_told
        on
            week_told.kind = 'week'
            and held.week = week_told.period
    left join periods_told as series_told_with
        on
            series_told_with.kind = 'series'
            and held.week = series_told_with.period
    where
        held.export_id = {{ edition.export_id | sql_string }}
        and (held.day is null or week_told.period is not null)
),

in_series as (
    select
        labelled.*,
        coalesce(weekly.category, '(few)') as week_category,
        coalesce(monthly.category, '(few)') as month_category
    from labelled
    left join series_told as weekly
        on
            weekly.grain = 'week'
            and labelled.category_label = weekly.category
    left join series_told as monthly
        on
            monthly.grain = 'month'
            and labelled.category_label = monthly.category
),

told as (
    select
        outcome,
        user_pseudonym,
        person,
        if(is_evaluated, coalesce(part_label, category_label)) as category,
        if(is_evaluated, department_label) as department,
        if(is_evaluated, user_group_label) as user_group,
        if(is_evaluated, app_model_label) as app_model,
        if(is_evaluated, language_label) as language,
        if(is_evaluated, week_category) as week_category,
        if(is_evaluated, month_category) as month_category,
        if(is_evaluated, try_cast(score_label as integer)) as score,
        if(is_evaluated, try_cast(hour_label as integer)) as hour,
        inquiry_score,
        input_tokens,
        output_tokens,
        cost_micro_usd,
        is_dated,
        weekday,
        day,
        real_day,
        week,
        real_week,
        month,
        if(series_week >= date_add('day', -182, date {{ edition.open_week | sql_string }}), series_week) as series_week,
        if(
            series_month >= date_add('month', -13, date {{ edition.open_month | sql_string }})
            and series_month < date {{ edition.open_month | sql_string }},
            series_month
        ) as series_month
    from in_series
)

select *
from told
