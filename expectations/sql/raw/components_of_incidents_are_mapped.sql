-- Rule S4, for the incidents in force (rule S3) that touch the service month
-- in any contract's zone before the as-of time. Maintenances never make
-- downtime, so their components decide nothing.
with

documents as (
    select
        status_page_documents.*,
        objects.exported_at,
        objects.key_bytes,
        objects.is_complete
    from raw.status_page_documents
    inner join gate.objects
        on status_page_documents.object_id = objects.object_id
),

incidents as (
    select distinct on (incidents.page_id, incidents.incident_id)
        incidents.*,
        objects.exported_at,
        objects.key_bytes
    from raw.incidents
    inner join gate.objects on incidents.object_id = objects.object_id
    order by
        incidents.page_id asc,
        incidents.incident_id asc,
        objects.exported_at desc,
        objects.key_bytes desc,
        incidents.line_number desc
),

-- Rule S5: a later summary of the page that lacks the incident resolved it.
last_summaries as (
    select
        incidents.page_id,
        incidents.incident_id,
        max(documents.page_updated_at) as listed_at
    from incidents
    inner join documents
        on
            incidents.page_id is not distinct from documents.page_id
            and incidents.incident_id = any(documents.incident_ids)
    group by incidents.page_id, incidents.incident_id
),

inferred_ends as (
    select
        last_summaries.page_id,
        last_summaries.incident_id,
        min(documents.page_updated_at) as ended_at
    from last_summaries
    inner join documents
        on
            documents.kind = 'summary'
            and last_summaries.page_id is not distinct from documents.page_id
            and last_summaries.listed_at < documents.page_updated_at
    group by last_summaries.page_id, last_summaries.incident_id
),

update_bounds as (
    select
        incidents.page_id,
        incidents.incident_id,
        min((updates.entry ->> 'at')::timestamptz) as first_at,
        min((updates.entry ->> 'at')::timestamptz) filter (
            where updates.entry ->> 'status' in ('resolved', 'postmortem')
        ) as resolved_at
    from incidents
    cross join
        lateral jsonb_array_elements(incidents.updates)
            as updates (entry)
    group by incidents.page_id, incidents.incident_id
),

incident_spans as (
    select
        incidents.*,
        least(
            incidents.started_at, incidents.created_at, update_bounds.first_at
        ) as began_at,
        coalesce(
            incidents.resolved_at,
            update_bounds.resolved_at,
            inferred_ends.ended_at,
            'infinity'
        ) as ended_at
    from incidents
    left outer join update_bounds
        on
            incidents.page_id is not distinct from update_bounds.page_id
            and incidents.incident_id = update_bounds.incident_id
    left outer join inferred_ends
        on
            incidents.page_id is not distinct from inferred_ends.page_id
            and incidents.incident_id = inferred_ends.incident_id
    where not incidents.is_maintenance
),

touching as (
    select incident_spans.*
    from incident_spans
    inner join gate.month_bounds
        on
            incident_spans.began_at < month_bounds.ends_at
            and incident_spans.created_at <= month_bounds.as_of
            and incident_spans.ended_at >= month_bounds.starts_at
    -- Rule S3: missing from a later complete export of its list, withdrawn.
    where not exists (
        select 1
        from documents
        where
            documents.kind = 'incidents'
            and documents.is_complete
            and documents.page_id is not distinct from incident_spans.page_id
            and (documents.exported_at, documents.key_bytes)
            > (incident_spans.exported_at, incident_spans.key_bytes)
            and incident_spans.incident_id <> all(documents.incident_ids)
    )
),

population as (
    select
        touching.incident_id,
        listed.component_id
    from touching
    cross join lateral unnest(touching.component_ids) as listed (component_id)
    union
    select
        touching.incident_id,
        changed.entry ->> 'component_id' as component_id
    from touching
    cross join
        lateral jsonb_array_elements(touching.updates)
            as updates (entry)
    cross join lateral jsonb_array_elements(updates.entry -> 'components')
        as changed (entry)
),

final as (
    select
        population.component_id as subject,
        concat(
            'incident ',
            population.incident_id,
            ' names a component that the catalog does not map'
        ) as detail
    from population
    where not exists (
        select 1
        from gate.components
        where components.component_id = population.component_id
    )
)

select * from final
order by subject, detail
