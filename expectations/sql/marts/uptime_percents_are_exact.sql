-- Rules U1, U2: the stored percent is the exact one cut after 12 decimals,
-- tested by multiplying, never by dividing.
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
        account_months.measured_seconds
        - case terms_versions.excluded_time
            when 'out_of_base' then account_months.excluded_seconds
            when 'as_uptime' then 0
        end as base_seconds
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
            population.uptime_percent,
            'counted',
            population.counted_seconds,
            'of',
            population.base_seconds
        ) as detail
    from population
    where
        population.base_seconds > 0
        and not coalesce(
            population.uptime_percent * population.base_seconds
            <= 100 * (population.base_seconds - population.counted_seconds)
            and (population.uptime_percent + 0.000000000001)
            * population.base_seconds
            > 100 * (population.base_seconds - population.counted_seconds)
            and scale(trim_scale(population.uptime_percent)) <= 12,
            false
        )
)

select * from final
order by subject
