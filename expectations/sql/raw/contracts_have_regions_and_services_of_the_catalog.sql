with

population as (
    select * from gate.contracts_of_the_month
),

catalog as (
    select
        monitors.service,
        monitors.region
    from raw.monitors
    inner join gate.objects on monitors.object_id = objects.object_id
    union
    select
        components.service,
        components.region
    from gate.components
),

unknown_names as (
    select
        population.contract_id,
        concat('region ', population.region) as unknown_name
    from population
    where
        not exists (
            select 1
            from catalog
            where catalog.region = population.region
        )
    union
    select
        population.contract_id,
        concat('service ', subscribed.service) as unknown_name
    from population
    cross join lateral unnest(population.services) as subscribed (service)
    where not exists (
        select 1
        from catalog
        where catalog.service = subscribed.service
    )
),

final as (
    select
        unknown_names.contract_id as subject,
        concat(unknown_names.unknown_name, ' is not in the catalog') as detail
    from unknown_names
)

select * from final
order by subject, detail
