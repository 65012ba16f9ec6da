-- The other reasons of rule R5 are what the rules want: nobody can mend them.
with

population as (
    select fct_response_times.reason
    from marts.fct_response_times
    inner join audit.current_build
        on fct_response_times.service_month = current_build.service_month
),

final as (
    select
        population.reason as subject,
        concat('not measured: ', count(*)) as detail
    from population
    where
        population.reason in (
            'no_severity', 'no_active_contract', 'no_terms', 'no_target'
        )
    group by population.reason
)

select * from final
order by subject
