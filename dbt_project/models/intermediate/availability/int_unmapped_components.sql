-- Grain: one component that the status page speaks of and the catalog does not
-- map, with each incident or maintenance that does (rule S4).
with

current_build as (
    select * from {{ ref('stg_audit__current_build') }}
),

page_incidents as (
    select * from {{ ref('stg_status_page__incidents') }}
),

updates as (
    select * from {{ ref('stg_status_page__updates') }}
),

components as (
    select * from {{ ref('stg_catalog__components') }}
),

withdrawn_incidents as (
    select incidents.incident_id
    from {{ ref('int_incidents') }} as incidents
    where incidents.is_withdrawn
),

mentions as (
    select
        page_incidents.incident_id,
        listed.component_id
    from page_incidents
    cross join
        lateral
        unnest(page_incidents.component_ids) as listed (component_id)
    union
    select
        updates.incident_id,
        settled.component ->> 'component_id' as component_id
    from updates
    cross join
        lateral
        jsonb_array_elements(updates.components) as settled (component)
),

final as (
    select
        mentions.component_id,
        mentions.incident_id,
        page_incidents.is_maintenance,
        page_incidents.object_id,
        page_incidents.line_number
    from mentions
    inner join page_incidents
        on mentions.incident_id = page_incidents.incident_id
    inner join current_build
        on page_incidents.created_at <= current_build.as_of
    left outer join components
        on mentions.component_id = components.component_id
    left outer join withdrawn_incidents
        on mentions.incident_id = withdrawn_incidents.incident_id
    where
        components.component_id is null
        and withdrawn_incidents.incident_id is null
)

select * from final
