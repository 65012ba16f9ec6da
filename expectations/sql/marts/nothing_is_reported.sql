with

population as (
    select fct_findings.code
    from marts.fct_findings
    inner join audit.current_build
        on fct_findings.service_month = current_build.service_month
),

final as (
    select
        population.code as subject,
        concat('reported: ', count(*)) as detail
    from population
    group by population.code
)

select * from final
order by subject
