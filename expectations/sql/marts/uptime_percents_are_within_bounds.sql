-- Rules D7, U1, U6. NaN is above 100.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

population as (
    select
        account_months.*,
        terms_versions.excluded_time
    from account_months
    left outer join raw.terms_versions
        on
            account_months.terms_id = terms_versions.terms_id
            and account_months.terms_version = terms_versions.terms_version
),

final as (
    select
        population.contract_id as subject,
        concat_ws(
            ' ',
            'uptime',
            coalesce(population.uptime_percent::text, 'null'),
            'low',
            coalesce(population.uptime_percent_low::text, 'null'),
            'measured',
            population.measured_seconds
        ) as detail
    from population
    where
        case
            -- Blocked for its terms.
            when population.excluded_time is null then false
            when
                population.measured_seconds = 0
                or (
                    population.excluded_time = 'out_of_base'
                    and population.measured_seconds
                    = population.excluded_seconds
                )
                then population.uptime_percent is not null
            else
                not coalesce(
                    population.uptime_percent between 0 and 100
                    and coalesce(population.uptime_percent_low, 0)
                    between 0 and population.uptime_percent
                    and (
                        population.uptime_percent_low is not null
                        or population.unknown_seconds > 0
                    ),
                    false
                )
        end
)

select * from final
order by subject
