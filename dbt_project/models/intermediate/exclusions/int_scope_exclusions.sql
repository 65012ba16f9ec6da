-- Grain: one interval of one source for a scope and (service, region); the
-- intervals of one source never overlap, those of two may (rule X5).
-- Rules X1-X4, X6, X8, T3: what an exclusion covers before rule X7, and before
-- it meets downtime.
with

pairs as (
    select * from {{ ref('int_scope_pairs') }}
),

entries as (
    select * from {{ ref('int_exclusion_verdicts') }}
),

maintenance_windows as (
    select * from {{ ref('int_scope_maintenance_windows') }}
),

notice_pairs as (
    select * from {{ ref('int_notice_pairs') }}
),

register as (
    select
        pairs.scope_id,
        pairs.service,
        pairs.region,
        entries.category,
        'register' as source_kind,
        entries.exclusion_id as source_id,
        entries.incident_ids,
        tstzmultirange(entries.period * pairs.in_force) as covered
    from entries
    inner join pairs
        on
            {{ entry_meets_pair('entries', 'pairs') }}
            and entries.category = any(pairs.exclusion_categories)
    where entries.is_sound and entries.is_in_reach
),

maintenance as (
    select
        pairs.scope_id,
        pairs.service,
        pairs.region,
        'scheduled_maintenance' as category,
        'maintenance' as source_kind,
        maintenance_windows.maintenance_id as source_id,
        '{}'::text[] as incident_ids,
        maintenance_windows.kept_windows
        * tstzmultirange(pairs.in_force) as covered
    from maintenance_windows
    inner join notice_pairs
        on maintenance_windows.notice_id = notice_pairs.notice_id
    inner join pairs
        on
            maintenance_windows.scope_id = pairs.scope_id
            and maintenance_windows.terms_version = pairs.terms_version
            and notice_pairs.service = pairs.service
            and notice_pairs.region = pairs.region
),

sources as (
    select * from register
    union all
    select * from maintenance
),

merged as (
    select
        sources.scope_id,
        sources.service,
        sources.region,
        sources.category,
        sources.source_kind,
        sources.source_id,
        sources.incident_ids,
        unnest(range_agg(sources.covered)) as period
    from sources
    group by
        sources.scope_id,
        sources.service,
        sources.region,
        sources.category,
        sources.source_kind,
        sources.source_id,
        sources.incident_ids
),

final as (
    select
        merged.scope_id,
        merged.service,
        merged.region,
        merged.category,
        merged.source_kind,
        merged.source_id,
        merged.incident_ids,
        lower(merged.period) as started_at,
        upper(merged.period) as ended_at
    from merged
)

select * from final
