-- Grain: one interval in which an incident has a component in a status that
-- some terms take for down (rules S1, S2), as of the build.
with

current_build as (
    select * from {{ ref('stg_audit__current_build') }}
),

incidents as (
    select * from {{ ref('int_incidents') }}
),

updates as (
    select * from {{ ref('stg_status_page__updates') }}
),

components as (
    select * from {{ ref('stg_catalog__components') }}
),

incidents_open as (
    select
        incidents.*,
        least(incidents.resolved_at, current_build.as_of) as ended_at,
        -- What an update set ends with the update that resolved (S1).
        least(
            coalesce(incidents.resolved_update_at, incidents.resolved_at),
            current_build.as_of
        ) as settings_ended_at
    from incidents
    cross join current_build
    where
        not incidents.is_withdrawn
        -- What was declared later, of earlier times too, was not known then.
        and incidents.created_at <= current_build.as_of
),

-- What was set is over with a resolution, which need not name it; so is what it
-- sets itself (S1). The newest update of a document stands first, so of two at
-- one instant the later ordinal came before.
updates_until_resolved as (
    select
        updates.*,
        min(updates.updated_at) filter (
            where updates.status = 'resolved'
        ) over (
            partition by updates.incident_id
            order by updates.updated_at asc, updates.update_ordinal desc
            rows between current row and unbounded following
        ) as next_resolved_at
    from updates
),

settings as (
    select
        incidents_open.incident_id,
        updates_until_resolved.updated_at as started_at,
        updates_until_resolved.update_ordinal,
        least(
            incidents_open.settings_ended_at,
            updates_until_resolved.next_resolved_at
        ) as ended_at,
        settled.component ->> 'component_id' as component_id,
        settled.component ->> 'new_status' as status
    from updates_until_resolved
    inner join incidents_open
        on
            updates_until_resolved.incident_id = incidents_open.incident_id
            and updates_until_resolved.updated_at
            <= incidents_open.settings_ended_at
    cross join
        lateral
        jsonb_array_elements(updates_until_resolved.components)
            as settled (component)
),

settings_until as (
    select
        settings.incident_id,
        settings.component_id,
        settings.status,
        settings.started_at,
        least(
            settings.ended_at,
            lead(settings.started_at) over (
                partition by settings.incident_id, settings.component_id
                order by
                    settings.started_at asc, settings.update_ordinal desc
            )
        ) as ended_at
    from settings
),

by_impact as (
    select
        incidents_open.incident_id,
        listed.component_id,
        'major_outage' as status,
        incidents_open.started_at,
        incidents_open.ended_at
    from incidents_open
    cross join
        lateral
        unnest(incidents_open.component_ids) as listed (component_id)
    where
        incidents_open.impact = 'critical'
        and not exists (
            select settings.incident_id
            from settings
            where
                settings.incident_id = incidents_open.incident_id
                and settings.status <> 'operational'
        )
),

declared as (
    select settings_until.*
    from settings_until
    where
        settings_until.status in (
            'major_outage', 'partial_outage', 'degraded_performance'
        )
    union all
    select by_impact.*
    from by_impact
),

final as (
    select
        declared.incident_id,
        declared.component_id,
        components.service,
        components.region,
        declared.status,
        declared.started_at,
        declared.ended_at
    from declared
    inner join components on declared.component_id = components.component_id
    where declared.started_at < declared.ended_at
)

select * from final
