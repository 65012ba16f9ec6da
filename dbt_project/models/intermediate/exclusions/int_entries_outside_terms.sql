-- Grain: one sound entry and terms version that does not list its category,
-- among those by which the entry would be judged for some scope (rule X1).
with

entries as (
    select * from {{ ref('int_exclusion_verdicts') }}
),

pairs as (
    select * from {{ ref('int_scope_pairs') }}
),

versions_in_use as (
    select distinct
        pairs.terms_id,
        pairs.terms_version,
        pairs.exclusion_categories
    from pairs
),

unlisted as (
    select
        entries.*,
        versions_in_use.terms_id,
        versions_in_use.terms_version
    from entries
    inner join versions_in_use
        on entries.category <> all(versions_in_use.exclusion_categories)
    where entries.is_sound and entries.is_in_reach
),

final as (
    select distinct
        unlisted.exclusion_id,
        unlisted.category,
        unlisted.terms_id,
        unlisted.terms_version,
        unlisted.object_id,
        unlisted.line_number
    from unlisted
    inner join pairs
        on
            unlisted.terms_id = pairs.terms_id
            and unlisted.terms_version = pairs.terms_version
            and {{ entry_meets_pair('unlisted', 'pairs') }}
)

select * from final
