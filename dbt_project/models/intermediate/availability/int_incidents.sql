-- Grain: one incident of the status page (maintenances are none), as its latest
-- export has it: when it was over, and whether it was withdrawn (S2, S3, S5).
with

incidents as (
    select * from {{ ref('stg_status_page__incidents') }}
),

updates as (
    select * from {{ ref('stg_status_page__updates') }}
),

documents as (
    select * from {{ ref('stg_status_page__documents') }}
),

update_figures as (
    select
        updates.incident_id,
        max(updates.updated_at) as last_updated_at,
        max(updates.updated_at) filter (where updates.status = 'resolved')
            as resolved_update_at
    from updates
    group by updates.incident_id
),

-- A document that lists an unresolved incident says that it was open then: as
-- it was exported, where the page does not say when. One that names no page may
-- list any page's.
listings as (
    select
        incidents.incident_id,
        max(coalesce(documents.page_updated_at, documents.exported_at))
            as last_listed_at
    from documents
    cross join lateral unnest(documents.incident_ids) as listed (incident_id)
    inner join incidents
        on
            listed.incident_id = incidents.incident_id
            and (
                documents.page_id = incidents.page_id
                or documents.page_id is null
            )
    group by incidents.incident_id
),

-- One that was reopened is open, whatever it said before, `resolved_at` too;
-- resolved again, it ended with the last of its updates that says so.
resolutions as (
    select
        incidents.incident_id,
        update_figures.resolved_update_at,
        coalesce(incidents.resolved_at, update_figures.resolved_update_at)
            as resolved_at
    from incidents
    left outer join update_figures
        on incidents.incident_id = update_figures.incident_id
    where incidents.status in ('resolved', 'postmortem')
),

stated as (
    select
        incidents.*,
        resolutions.resolved_update_at,
        resolutions.resolved_at as stated_resolved_at,
        greatest(
            incidents.created_at,
            update_figures.last_updated_at,
            listings.last_listed_at
        ) as last_open_at
    from incidents
    left outer join update_figures
        on incidents.incident_id = update_figures.incident_id
    left outer join resolutions
        on incidents.incident_id = resolutions.incident_id
    left outer join listings
        on incidents.incident_id = listings.incident_id
    where not incidents.is_maintenance
),

inferred as (
    select
        stated.incident_id,
        min(documents.page_updated_at) as resolved_at
    from stated
    inner join documents
        on
            stated.page_id = documents.page_id
            and documents.kind = 'summary'
            and stated.last_open_at < documents.page_updated_at
    where
        stated.stated_resolved_at is null
        and stated.incident_id <> all(documents.incident_ids)
    group by stated.incident_id
),

withdrawn as (
    select distinct stated.incident_id
    from stated
    inner join documents
        on
            stated.page_id = documents.page_id
            and documents.kind = 'incidents'
            and documents.is_complete
            and (stated.exported_at, convert_to(stated.object_key, 'UTF8'))
            < (documents.exported_at, convert_to(documents.object_key, 'UTF8'))
    where
        stated.incident_id <> all(documents.incident_ids)
        -- A row that cannot be used lists it, too.
        and not exists (
            select later.object_key
            from documents as later
            where
                (later.page_id = documents.page_id or later.page_id is null)
                and (later.exported_at, convert_to(later.object_key, 'UTF8'))
                > (
                    documents.exported_at,
                    convert_to(documents.object_key, 'UTF8')
                )
                and stated.incident_id = any(later.incident_ids)
        )
),

resolved as (
    select
        stated.incident_id,
        stated.impact,
        stated.created_at,
        stated.component_ids,
        stated.object_id,
        stated.line_number,
        stated.resolved_update_at,
        coalesce(stated.started_at, stated.created_at) as stated_started_at,
        coalesce(stated.stated_resolved_at, inferred.resolved_at)
            as resolved_at,
        inferred.incident_id is not null as is_resolution_inferred,
        withdrawn.incident_id is not null as is_withdrawn
    from stated
    left outer join inferred on stated.incident_id = inferred.incident_id
    left outer join withdrawn on stated.incident_id = withdrawn.incident_id
),

final as (
    select
        resolved.incident_id,
        resolved.impact,
        resolved.created_at,
        resolved.resolved_at,
        resolved.resolved_update_at,
        resolved.is_resolution_inferred,
        resolved.is_withdrawn,
        resolved.component_ids,
        resolved.object_id,
        resolved.line_number,
        case
            when resolved.stated_started_at > resolved.resolved_at
                then resolved.created_at
            else resolved.stated_started_at
        end as started_at
    from resolved
)

select * from final
