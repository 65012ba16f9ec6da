with

population (terms_id) as (
    values ('klink-starter'), ('klink-growth'), ('klink-enterprise')
),

final as (
    select
        population.terms_id as subject,
        'no version of these terms is published' as detail
    from population
    left outer join raw.terms_versions
        on population.terms_id = terms_versions.terms_id
    where terms_versions.terms_id is null
)

select * from final
order by subject
