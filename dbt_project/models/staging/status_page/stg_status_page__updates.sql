with

incidents as (
    select * from {{ ref('stg_status_page__incidents') }}
),

final as (
    select
        incidents.incident_id,
        incidents.is_maintenance,
        listed.ordinal as update_ordinal,
        listed.update_entry ->> 'update_id' as update_id,
        listed.update_entry ->> 'status' as status,
        (listed.update_entry ->> 'at')::timestamptz as updated_at,
        coalesce(listed.update_entry -> 'components', '[]') as components
    from incidents
    cross join
        lateral
        jsonb_array_elements(incidents.updates)
        with ordinality as listed (update_entry, ordinal)
)

select * from final
