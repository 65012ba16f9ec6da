with

final as (
    select
        source_objects.key as subject,
        concat(
            count(*), ' rows are quarantined: ', quarantined_rows.reason_code
        ) as detail
    from raw.quarantined_rows
    inner join raw.source_objects
        on quarantined_rows.object_id = source_objects.object_id
    where
        source_objects.is_in_force
        and quarantined_rows.reason_code
        not in ('unknown_monitor', 'unknown_location')
    group by source_objects.key, quarantined_rows.reason_code
)

select * from final
order by subject, detail
