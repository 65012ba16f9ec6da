with

population as (
    select * from gate.objects
),

final as (
    select
        population.key as subject,
        'its key was deleted; its last version stays in force' as detail
    from population
    where population.is_deleted
)

select * from final
order by subject
