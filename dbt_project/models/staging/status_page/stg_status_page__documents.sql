with

status_page_documents as (
    select * from {{ source('raw', 'status_page_documents') }}
),

source_objects as (
    select * from {{ source('raw', 'source_objects') }}
),

final as (
    select
        status_page_documents.object_id,
        status_page_documents.kind,
        status_page_documents.page_id,
        status_page_documents.page_updated_at,
        status_page_documents.incident_ids,
        status_page_documents.maintenance_ids,
        source_objects.is_complete,
        source_objects.exported_at,
        source_objects.key as object_key
    from status_page_documents
    inner join source_objects
        on
            status_page_documents.object_id = source_objects.object_id
            and source_objects.is_in_force
)

select * from final
