-- Rule D8: what is not counted, excluded or unknown is up, and never less than
-- nothing. An account-month that is blocked, or will be for want of terms, may
-- have no figures, but never some.
with

population as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

final as (
    select
        population.contract_id as subject,
        concat_ws(
            ' ',
            'measured',
            population.measured_seconds,
            'counted',
            population.counted_seconds,
            'excluded',
            population.excluded_seconds,
            'unknown',
            population.unknown_seconds
        ) as detail
    from population
    where
        not coalesce(
            population.counted_seconds >= 0
            and population.excluded_seconds >= 0
            and population.unknown_seconds >= 0
            and population.counted_seconds
            + population.excluded_seconds
            + population.unknown_seconds
            <= population.measured_seconds
            and population.measured_seconds < 1e8,
            (
                population.status = 'blocked'
                or population.reason in (
                    'terms_unknown', 'terms_not_in_force'
                )
            )
            and num_nulls(
                population.counted_seconds,
                population.excluded_seconds,
                population.unknown_seconds
            ) = 3
        )
)

select * from final
order by subject
