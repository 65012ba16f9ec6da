with

population as (
    select objects.object_id
    from gate.objects
    where objects.feed = 'monitoring/checks'
),

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
    from population
    inner join raw.quarantined_rows
        on population.object_id = quarantined_rows.object_id
    where
        quarantined_rows.reason_code in ('unknown_monitor', 'unknown_location')
    group by
        quarantined_rows.raw_record ->> 'monitor_id',
        quarantined_rows.raw_record ->> 'location',
        quarantined_rows.reason_code
)

select * from final
order by subject, detail
