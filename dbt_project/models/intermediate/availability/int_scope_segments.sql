-- Grain: one rung of a scope that is not up: of what kind it is, and why.
with

scope_states as (
    select * from {{ ref('int_scope_states') }}
),

attributes as (
    select
        scope_states.scope_id,
        scope_states.started_at,
        scope_states.ended_at,
        scope_states.kind,
        scope_states.is_covered,
        {{ sorted_texts('scope_states.service') }} as services,
        {{ sorted_texts('categories.category') }} filter (
            where categories.category is not null
        ) as categories,
        {{ sorted_texts('sources.source_id') }} as source_ids
    from scope_states
    left outer join
        lateral
        unnest(scope_states.categories) as categories (category)
        on true
    cross join
        lateral
        unnest(scope_states.source_ids) as sources (source_id)
    group by
        scope_states.scope_id,
        scope_states.started_at,
        scope_states.ended_at,
        scope_states.kind,
        scope_states.is_covered
),

final as (
    select
        attributes.scope_id,
        attributes.started_at,
        attributes.ended_at,
        attributes.kind,
        attributes.is_covered,
        attributes.services,
        attributes.source_ids,
        coalesce(attributes.categories, '{}') as categories
    from attributes
)

select * from final
