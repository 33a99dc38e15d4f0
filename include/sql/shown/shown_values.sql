-- shown_values: which values of each dimension readers are told apart, and which conversations count under them.
-- A value has at least min_users known users, or it is pooled with others. What is new since the published edition
-- waits in the pool until it is of as many, so that the difference of two editions is no small group either. Where the
-- pool would be small, or of one suspect alone, one more value is put back into it: complementary suppression.
-- Scores are told all or none: means tell their sum, and with it two pooled scores would be no secret.
-- A category is counted as category_before, which no split changes. What a split has made of one (dimension part) is
-- told apart where all parts are of enough users, and what is new of each; until then it counts under the one it was.
-- Grain: one row per dimension and value that is told. Reads: evaluations, the evaluated ones of told weeks or of an
-- unknown day; shown_periods of this edition; shown_values of the published edition.
-- Columns: dimension, value, counted_until, last_week (a conversation counts under its value when it was judged by
-- then, and its week is not a later one).
with
weeks as (
    select period
    from shown_periods_editions
    where
        edition = {{ edition.id | sql_string }}
        and kind = 'week'
),

latest as (
    select max(period) as last_week
    from weeks
),

valued as (
    select
        evaluated.user_pseudonym,
        evaluated.evaluated_at,
        weeks.period as week,
        pair.dimension,
        pair.value,
        if(pair.dimension in ('category', 'part'), evaluated.category_before) as family,
        latest.last_week
    from evaluations as evaluated
    cross join latest
    left join weeks on evaluated.week = weeks.period
    cross join
        unnest(
            array['category', 'part', 'inquiry_score', 'department', 'user_group', 'app_model', 'language', 'hour'],
            array[
                evaluated.category_before,
                evaluated.category,
                cast(evaluated.inquiry_score as varchar),
                coalesce(evaluated.department, 'unknown'),
                coalesce(evaluated.user_group, 'unknown'),
                coalesce(evaluated.app_model, 'unknown'),
                coalesce(evaluated.language, 'unknown'),
                cast(evaluated.hour as varchar)
            ]
        ) as pair (dimension, value)
    where
        evaluated.export_id = {{ edition.export_id | sql_string }}
        and evaluated.outcome = 'evaluated'
        and (evaluated.day is null or weeks.period is not null)
        and pair.value is not null
),

aged as (
    select
        valued.dimension,
        valued.value,
        valued.family,
        valued.user_pseudonym,
        valued.last_week,
        told.counted_until as told_until,
        told.last_week as told_week,
        coalesce(
            valued.evaluated_at <= told.counted_until and (valued.week is null or valued.week <= told.last_week), false
        ) as is_told
    from valued
    left join shown_values as told
        on
            valued.dimension = told.dimension
            and valued.value = told.value
),

by_user as (
    select
        dimension,
        value,
        family,
        user_pseudonym,
        last_week,
        told_until,
        told_week,
        count_if(is_told) as told_conversations,
        count_if(not is_told) as new_conversations
    from aged
    group by dimension, value, family, user_pseudonym, last_week, told_until, told_week
),

sized as (
    select
        *,
        count(user_pseudonym) over (partition by dimension, value) as users,
        count(if(told_conversations > 0, user_pseudonym)) over (partition by dimension, value) as told_users,
        count(if(new_conversations > 0, user_pseudonym)) over (partition by dimension, value) as new_users,
        sum(new_conversations) over (partition by dimension, value) as all_new
    from by_user
),

possible as (
    select
        *,
        users >= {{ min_users }} and (told_until is null or all_new = 0 or new_users >= {{ min_users }}) as is_whole,
        -- Told as it was in the published edition, without what is new.
        told_until is not null and told_users >= {{ min_users }} as is_tellable_as_before
    from sized
),

decided as (
    select
        *,
        case
            when dimension in ('inquiry_score', 'part') and not bool_and(is_whole) over (partition by dimension, family)
                then if(bool_and(is_tellable_as_before) over (partition by dimension, family), 'as before', 'pooled')
            when is_whole then 'whole'
            when users >= {{ min_users }} and is_tellable_as_before then 'as before'
            else 'pooled'
        end as standing
    from possible
),

numbered as (
    select
        *,
        standing = 'pooled' or (standing = 'as before' and new_conversations > 0) as is_pooled,
        row_number() over (
            partition by
                dimension,
                standing = 'pooled' or (standing = 'as before' and new_conversations > 0),
                user_pseudonym
            order by value asc
        ) as nth_of_user
    from decided
),

counted as (
    select
        dimension,
        value,
        family,
        last_week,
        told_until,
        told_week,
        new_users,
        all_new,
        is_tellable_as_before,
        standing,
        bool_or(is_pooled) as is_pooled,
        count_if(is_pooled and user_pseudonym is not null and nth_of_user = 1) as more_pooled_users,
        standing = 'whole' and all_new > 0 and dimension not in ('inquiry_score', 'part') as is_candidate
    from numbered
    group by
        dimension, value, family, last_week, told_until, told_week, new_users, all_new, is_tellable_as_before, standing
),

ranked as (
    select
        *,
        bool_or(is_pooled) over (partition by dimension)
        and (
            sum(more_pooled_users) over (partition by dimension) < {{ min_users }}
            -- What is not told of, or has not grown in sight, may be what the pool holds.
            or count_if(
                standing <> 'whole' or (told_until is not null and all_new = 0)
            ) over (partition by dimension) < 2
        ) as needs_partner,
        row_number() over (
            partition by dimension
            order by if(is_candidate, 0, 1) asc, new_users asc, all_new asc, value asc
        ) as nth
    from counted
),

complemented as (
    select
        *,
        if(
            is_candidate and nth = 1 and needs_partner,
            if(is_tellable_as_before, 'as before', 'pooled'),
            standing
        ) as own_standing
    from ranked
),

parted as (
    -- Parts are told no further than all of them together are.
    select
        *,
        case
            when dimension <> 'part' then own_standing
            when not bool_or(value <> family) over of_family then 'pooled'
            when max(if(dimension = 'category', own_standing)) over of_category = 'whole' then own_standing
            when
                max(if(dimension = 'category', own_standing)) over of_category = 'as before'
                and bool_and(is_tellable_as_before) over of_family
                then 'as before'
            else 'pooled'
        end as told_standing
    from complemented
    window
        of_family as (partition by dimension, family),
        of_category as (partition by family)
),

shown as (
    select
        dimension,
        value,
        if(told_standing = 'whole', {{ edition.counted_until | sql_string }}, told_until) as counted_until,
        if(told_standing = 'whole', last_week, told_week) as last_week
    from parted
    where told_standing <> 'pooled'
)

select *
from shown
order by dimension asc, value asc
