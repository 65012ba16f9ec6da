-- Grain: one interval in which one monitor or incident speaks against a pair
-- (service, region), per way of judging that some terms in force have.
-- Rules M5, S1, D2: what a way of judging takes for evidence, and nothing else.
with

build_window as (
    select * from {{ ref('int_window') }}
),

judgements as (
    select distinct
        scope_versions.judgement_id,
        scope_versions.evidence,
        scope_versions.degraded_counts,
        scope_versions.partial_outage_counts
    from {{ ref('int_scope_versions') }} as scope_versions
),

monitor_outages as (
    select * from {{ ref('int_monitor_outages') }}
),

incident_declarations as (
    select * from {{ ref('int_incident_declarations') }}
),

monitoring as (
    select
        judgements.judgement_id,
        judgements.evidence,
        monitor_outages.service,
        monitor_outages.region,
        'monitor' as source_kind,
        monitor_outages.monitor_id as source_id,
        monitor_outages.state,
        monitor_outages.started_at,
        monitor_outages.ended_at
    from judgements
    inner join monitor_outages
        on judgements.degraded_counts = monitor_outages.degraded_counts
    where judgements.evidence <> 'status_page'
),

status_page as (
    select
        judgements.judgement_id,
        judgements.evidence,
        incident_declarations.service,
        incident_declarations.region,
        'incident' as source_kind,
        incident_declarations.incident_id as source_id,
        'down' as state,
        greatest(incident_declarations.started_at, build_window.started_at)
            as started_at,
        least(incident_declarations.ended_at, build_window.ended_at)
            as ended_at
    from judgements
    cross join build_window
    inner join incident_declarations
        on
            incident_declarations.status = 'major_outage'
            or (
                incident_declarations.status = 'partial_outage'
                and judgements.partial_outage_counts
            )
            or (
                incident_declarations.status = 'degraded_performance'
                and judgements.degraded_counts
            )
    where judgements.evidence <> 'monitoring'
),

evidence as (
    select * from monitoring
    union all
    select * from status_page
),

final as (
    select
        evidence.judgement_id,
        evidence.evidence,
        evidence.service,
        evidence.region,
        evidence.source_kind,
        evidence.source_id,
        evidence.state,
        evidence.started_at,
        evidence.ended_at
    from evidence
    where evidence.started_at < evidence.ended_at
)

select * from final
