-- Grain: one interval of downtime, sure or possible, of a pair that a scope
-- sees, while its terms version is in force (rules D1, D3).
with

scope_versions as (
    select * from {{ ref('int_scope_versions') }}
),

seen_outages as (
    select * from {{ ref('int_seen_outages') }}
),

final as (
    select
        scope_versions.scope_id,
        scope_versions.terms_version,
        seen_outages.service,
        seen_outages.region,
        seen_outages.is_down_low,
        seen_outages.source_ids,
        seen_outages.started_at,
        seen_outages.ended_at
    from scope_versions
    inner join seen_outages
        on
            scope_versions.terms_id = seen_outages.terms_id
            and scope_versions.terms_version = seen_outages.terms_version
            and scope_versions.region = seen_outages.seen_from
            and seen_outages.service = any(scope_versions.services)
)

select * from final
