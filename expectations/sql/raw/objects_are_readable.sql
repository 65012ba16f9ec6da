with

final as (
    select
        source_objects.key as subject,
        concat('quarantined whole: ', source_objects.reason_code) as detail
    from raw.source_objects
    where
        source_objects.is_in_force and source_objects.status = 'quarantined'
)

select * from final
order by subject
