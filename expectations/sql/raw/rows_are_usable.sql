with

final as (
    select
        source_objects.key as subject,
        concat(
            'quarantined with ',
            quarantined_rows.reason_code,
            ': ',
            count(*),
            ', the first in line ',
            min(quarantined_rows.line_number)
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
