-- Grain: one sound entry and terms version that does not list its category,
-- among those by which the entry would be judged for some scope (rule X1).
with

entries as (
    select * from {{ ref('int_exclusion_verdicts') }}
),

pairs as (
    select * from {{ ref('int_scope_pairs') }}
),

final as (
    select distinct
        entries.exclusion_id,
        entries.category,
        pairs.terms_id,
        pairs.terms_version,
        entries.object_id,
        entries.line_number
    from entries
    inner join pairs
        on {{ entry_meets_pair('entries', 'pairs') }}
    where
        entries.is_sound
        and entries.is_in_reach
        and entries.category <> all(pairs.exclusion_categories)
)

select * from final
