-- Grain: one interval of downtime, sure or possible, of a pair that a scope
-- sees, cut to the time its terms version is in force (rules D1, D3, T3).
with

scope_versions as (
    select * from {{ ref('int_scope_versions') }}
),

seen_outages as (
    select * from {{ ref('int_seen_outages') }}
),

judged as (
    select
        scope_versions.scope_id,
        scope_versions.terms_version,
        seen_outages.service,
        seen_outages.region,
        seen_outages.is_down_low,
        seen_outages.source_ids,
        tstzrange(seen_outages.started_at, seen_outages.ended_at)
        * scope_versions.in_force as period
    from scope_versions
    inner join seen_outages
        on
            scope_versions.judgement_id = seen_outages.judgement_id
            and scope_versions.minimum_outage_seconds
            = seen_outages.minimum_outage_seconds
            and scope_versions.region = seen_outages.seen_from
            and seen_outages.service = any(scope_versions.services)
),

final as (
    select
        judged.scope_id,
        judged.terms_version,
        judged.service,
        judged.region,
        judged.is_down_low,
        judged.source_ids,
        lower(judged.period) as started_at,
        upper(judged.period) as ended_at
    from judged
    where not isempty(judged.period)
)

select * from final
