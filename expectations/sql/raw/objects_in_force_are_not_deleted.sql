with

final as (
    select
        source_objects.key as subject,
        'its key was deleted; its last version stays in force' as detail
    from raw.source_objects
    where source_objects.is_in_force and source_objects.is_deleted
)

select * from final
order by subject
