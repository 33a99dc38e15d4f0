-- category_by_group: what each group uses the chat tool for, month by month. A pair without a row is of few people, or
-- of nobody, or would give another away: absence is not zero, and no total is told. A category that was split since is
-- told whole, as in category_trends.
-- Grain: one row per month, dimension, value and category that readers are told. Reads: shown_pairs.
-- Columns: month, dimension (department, user_group, app_model or language), value, category, conversations, users
-- (distinct known ones), mean_inquiry_score.
with
grouped as (
    select
        month,
        dimension,
        value,
        paired as category,
        conversations,
        users,
        mean_inquiry_score
    from shown_pairs_editions
    where
        edition = {{ edition.id | sql_string }}
        and dimension <> 'weekday'
)

select *
from grouped
order by month asc, dimension asc, value asc, category asc
