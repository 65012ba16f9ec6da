with

population as (
    select * from gate.objects
),

final as (
    select
        population.key as subject,
        concat('quarantined whole: ', population.reason_code) as detail
    from population
    where population.status = 'quarantined'
)

select * from final
order by subject
