with

source_objects as (
    select * from {{ source('raw', 'source_objects') }}
),

final as (
    select
        source_objects.object_id,
        source_objects.bucket,
        source_objects.key,
        source_objects.version_id,
        source_objects.etag,
        source_objects.sha256,
        source_objects.size_bytes,
        source_objects.exported_at,
        source_objects.landed_at,
        source_objects.feed,
        source_objects.format,
        source_objects.status,
        source_objects.rows_read,
        source_objects.rows_loaded,
        source_objects.rows_duplicate,
        source_objects.rows_quarantined,
        source_objects.reason_code,
        source_objects.reason,
        source_objects.is_in_force,
        source_objects.is_deleted,
        source_objects.is_complete,
        source_objects.last_modified,
        source_objects.run_id
    from source_objects
)

select * from final
