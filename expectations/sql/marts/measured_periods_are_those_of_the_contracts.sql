-- Rules P1, P2, P4, reckoned from `raw` alone.
with

contracts as (
    select distinct on (contracts.contract_id) contracts.*
    from raw.contracts
    inner join raw.source_objects
        on contracts.object_id = source_objects.object_id
    where source_objects.is_in_force
    order by
        contracts.contract_id asc,
        source_objects.exported_at desc,
        convert_to(source_objects.key, 'UTF8') desc,
        contracts.line_number desc
),

accounts as (
    select distinct on (accounts.account_id) accounts.*
    from raw.accounts
    inner join raw.source_objects
        on accounts.object_id = source_objects.object_id
    where source_objects.is_in_force
    order by
        accounts.account_id asc,
        source_objects.exported_at desc,
        convert_to(source_objects.key, 'UTF8') desc,
        accounts.line_number desc
),

zones as (
    select distinct
        terms_versions.terms_id,
        terms_versions.time_zone
    from raw.terms_versions
),

periods as (
    select
        contracts.contract_id,
        contracts.suspensions,
        tstzmultirange(
            tstzrange(
                greatest(
                    contracts.starts_at,
                    raw.start_of_day(
                        current_build.service_month,
                        coalesce(zones.time_zone, 'UTC')
                    )
                ),
                least(
                    contracts.ends_at,
                    raw.start_of_day(
                        (
                            current_build.service_month + interval '1 month'
                        )::date,
                        coalesce(zones.time_zone, 'UTC')
                    ),
                    current_build.as_of
                )
            )
        ) as active
    from contracts
    cross join audit.current_build
    left outer join zones on contracts.terms_id = zones.terms_id
    left outer join accounts on contracts.account_id = accounts.account_id
    where
        accounts.is_sandbox is not true
        and greatest(
            contracts.starts_at,
            raw.start_of_day(
                current_build.service_month,
                coalesce(zones.time_zone, 'UTC')
            )
        )
        < least(
            contracts.ends_at,
            raw.start_of_day(
                (current_build.service_month + interval '1 month')::date,
                coalesce(zones.time_zone, 'UTC')
            ),
            current_build.as_of
        )
),

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

measured_periods as (
    select
        periods.contract_id,
        periods.active - periods.suspensions as measured
    from periods
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

final as (
    select
        account_months.contract_id as subject,
        concat(
            'measured ',
            account_months.measured_seconds,
            ' s, by its contract ',
            measured_lengths.measured_seconds,
            ' s'
        ) as detail
    from account_months
    inner join measured_lengths
        on account_months.contract_id = measured_lengths.contract_id
    where
        account_months.measured_seconds
        is distinct from measured_lengths.measured_seconds
        or account_months.measured_from
        is distinct from measured_lengths.measured_from
        or account_months.measured_until
        is distinct from measured_lengths.measured_until
)

select * from final
order by subject
