with

population as (
    select current_build.service_month
    from audit.current_build
),

final as (
    select
        'nothing has landed from the bucket' as detail,
        to_char(population.service_month, 'YYYY-MM') as subject
    from population
    where not exists (select 1 from raw.source_objects)
)

select * from final
