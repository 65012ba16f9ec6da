-- Rules P1, P2, P4, reckoned from `raw` alone.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

measured_periods as (
    select
        contracts_of_the_month.contract_id,
        tstzmultirange(contracts_of_the_month.active)
        - contracts_of_the_month.suspensions as measured
    from gate.contracts_of_the_month
),

measured_lengths as (
    select
        measured_periods.contract_id,
        lower(measured_periods.measured) as measured_from,
        upper(measured_periods.measured) as measured_until,
        coalesce(
            sum(
                extract(epoch from upper(pieces.piece))
                - extract(epoch from lower(pieces.piece))
            ),
            0
        ) as measured_seconds
    from measured_periods
    left outer join lateral unnest(measured_periods.measured) as pieces (piece)
        on true
    group by measured_periods.contract_id, measured_periods.measured
),

population as (
    select
        account_months.*,
        measured_lengths.measured_from as contract_measured_from,
        measured_lengths.measured_until as contract_measured_until,
        measured_lengths.measured_seconds as contract_measured_seconds
    from account_months
    inner join measured_lengths
        on account_months.contract_id = measured_lengths.contract_id
),

final as (
    select
        population.contract_id as subject,
        concat(
            'measured ',
            population.measured_seconds,
            ' s, by its contract ',
            population.contract_measured_seconds,
            ' s'
        ) as detail
    from population
    where
        population.measured_seconds
        is distinct from population.contract_measured_seconds
        or population.measured_from
        is distinct from population.contract_measured_from
        or population.measured_until
        is distinct from population.contract_measured_until
)

select * from final
order by subject
