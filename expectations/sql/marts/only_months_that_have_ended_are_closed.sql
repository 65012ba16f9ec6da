-- Rule L5.
with

population as (
    select
        fct_account_months.contract_id,
        fct_account_months.status,
        current_build.as_of,
        builds.is_closing,
        coalesce(
            months.ends_at,
            (current_build.service_month + interval '1 month')
            at time zone 'UTC'
        ) as ends_at
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
    inner join audit.builds on current_build.run_id = builds.run_id
    left outer join gate.months
        on fct_account_months.terms_id = months.terms_id
),

final as (
    select
        population.contract_id as subject,
        concat(
            'its month is not over at ',
            to_char(population.as_of, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        ) as detail
    from population
    where
        population.is_closing
        and (
            population.status = 'provisional'
            or population.ends_at > population.as_of
        )
)

select * from final
order by subject
