with

final as (
    select
        quarantined_rows.raw_record ->> 'monitor_id' as subject,
        concat(
            'location ',
            quarantined_rows.raw_record ->> 'location',
            ': ',
            count(*),
            ' checks are quarantined: ',
            quarantined_rows.reason_code
        ) as detail
    from raw.quarantined_rows
    inner join raw.source_objects
        on quarantined_rows.object_id = source_objects.object_id
    where
        source_objects.is_in_force
        and quarantined_rows.reason_code
        in ('unknown_monitor', 'unknown_location')
    group by
        quarantined_rows.raw_record ->> 'monitor_id',
        quarantined_rows.raw_record ->> 'location',
        quarantined_rows.reason_code
)

select * from final
order by subject, detail
