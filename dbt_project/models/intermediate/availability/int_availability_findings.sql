-- Grain: one thing that monitoring or the status page reports about the build's
-- month: code, what it is about, where it was read, and the detail.
with

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

build_window as (
    select * from {{ ref('int_window') }}
),

location_states as (
    select * from {{ ref('int_location_states') }}
),

monitors as (
    select * from {{ ref('stg_catalog__monitors') }}
),

check_conflicts as (
    select * from {{ ref('stg_monitoring__check_conflicts') }}
),

incidents as (
    select * from {{ ref('int_incidents') }}
),

updates as (
    select * from {{ ref('stg_status_page__updates') }}
),

unmapped_components as (
    select * from {{ ref('int_unmapped_components') }}
),

unconfirmed_failures as (
    select distinct
        'unconfirmed_failure' as code,
        location_states.monitor_id as subject,
        monitors.object_id,
        format(
            'location %s failed from %s, too few checks in a row to confirm it'
            ' (confirm %s): read as up',
            location_states.location,
            {{ instant_text('location_states.run_started_at') }},
            monitors.confirm
        ) as detail
    from location_states
    inner join monitors on location_states.monitor_id = monitors.monitor_id
    where location_states.is_unconfirmed_failure
),

conflicts as (
    select
        'check_conflict' as code,
        check_conflicts.monitor_id as subject,
        sides.object_id,
        format(
            'location %s at %s: %s; read as unknown',
            check_conflicts.location,
            {{ instant_text('check_conflicts.checked_at') }},
            array_to_string(check_conflicts.statuses, ', ')
        ) as detail
    from check_conflicts
    inner join build_window
        on
            check_conflicts.checked_at >= build_window.started_at
            and check_conflicts.checked_at < build_window.ended_at
    cross join
        lateral
        unnest(check_conflicts.object_ids) as sides (object_id)
),

incidents_in_window as (
    select incidents.*
    from incidents
    inner join build_window
        on
            incidents.started_at < build_window.ended_at
            and build_window.started_at
            <= coalesce(incidents.resolved_at, build_window.ended_at)
    inner join build on incidents.created_at <= build.as_of
),

withdrawn_incidents as (
    select
        'incident_withdrawn' as code,
        incidents_in_window.incident_id as subject,
        incidents_in_window.object_id,
        'missing from a later complete export of its page: declares nothing'
            as detail
    from incidents_in_window
    where incidents_in_window.is_withdrawn
),

inferred_resolutions as (
    select
        'incident_resolution_inferred' as code,
        incidents_in_window.incident_id as subject,
        incidents_in_window.object_id,
        format(
            'resolved at %s, since a summary of its page no longer lists it',
            {{ instant_text('incidents_in_window.resolved_at') }}
        ) as detail
    from incidents_in_window
    inner join build on incidents_in_window.resolved_at <= build.as_of
    where
        incidents_in_window.is_resolution_inferred
        and not incidents_in_window.is_withdrawn
),

bare_incidents as (
    select
        'incident_without_components' as code,
        incidents_in_window.incident_id as subject,
        incidents_in_window.object_id,
        'names no component: declares nothing' as detail
    from incidents_in_window
    where
        cardinality(incidents_in_window.component_ids) = 0
        and not exists (
            select updates.incident_id
            from updates
            where
                updates.incident_id = incidents_in_window.incident_id
                and updates.components <> '[]'
        )
),

unmapped as (
    select
        'component_unmapped' as code,
        unmapped_components.component_id as subject,
        unmapped_components.object_id,
        format(
            'named by %s %s and not mapped by the catalog',
            case
                when unmapped_components.is_maintenance then 'maintenance'
                else 'incident'
            end,
            unmapped_components.incident_id
        ) as detail
    from unmapped_components
),

final as (
    select * from unconfirmed_failures
    union all
    select * from conflicts
    union all
    select * from withdrawn_incidents
    union all
    select * from inferred_resolutions
    union all
    select * from bare_incidents
    union all
    select * from unmapped
)

select * from final
