with

population as (
    select * from gate.objects
),

final as (
    select
        population.key as subject,
        concat(
            'quarantined with ',
            quarantined_rows.reason_code,
            ': ',
            count(*),
            ', the first in line ',
            min(quarantined_rows.line_number)
        ) as detail
    from population
    inner join raw.quarantined_rows
        on population.object_id = quarantined_rows.object_id
    where
        quarantined_rows.reason_code
        not in ('unknown_monitor', 'unknown_location')
    group by population.key, quarantined_rows.reason_code
)

select * from final
order by subject, detail
