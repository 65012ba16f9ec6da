-- Grain: one notice and (service, region) that its components stand for.
with

notices as (
    select * from {{ ref('int_maintenance_notices') }}
),

components as (
    select * from {{ ref('stg_catalog__components') }}
),

final as (
    select distinct
        notices.notice_id,
        components.service,
        components.region
    from notices
    cross join lateral unnest(notices.component_ids) as named (component_id)
    inner join components on named.component_id = components.component_id
)

select * from final
