-- Grain: one interval of downtime of a pair for a scope, or of an exclusion on
-- a pair that is down some time: without downtime it takes nothing off.
with

scope_outages as (
    select * from {{ ref('int_scope_outages') }}
),

exclusions as (
    select * from {{ ref('int_scope_exclusions_effective') }}
),

final as (
    select
        scope_outages.scope_id,
        scope_outages.terms_version,
        scope_outages.service,
        scope_outages.region,
        scope_outages.is_down_low,
        scope_outages.source_ids,
        null as category,
        scope_outages.started_at,
        scope_outages.ended_at
    from scope_outages
    union all
    select
        exclusions.scope_id,
        exclusions.terms_version,
        exclusions.service,
        exclusions.region,
        null as is_down_low,
        array[exclusions.source_id] as source_ids,
        exclusions.category,
        exclusions.started_at,
        exclusions.ended_at
    from exclusions
    where
        exists (
            select scope_outages.scope_id
            from scope_outages
            where
                scope_outages.scope_id = exclusions.scope_id
                and scope_outages.terms_version = exclusions.terms_version
                and scope_outages.service = exclusions.service
                and scope_outages.region = exclusions.region
        )
)

select * from final
