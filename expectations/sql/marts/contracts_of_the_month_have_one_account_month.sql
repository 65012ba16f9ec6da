-- Rules P2, P3, P5, reckoned from `raw` alone.
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

row_counts as (
    select
        fct_account_months.contract_id,
        count(*) as row_count
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
    group by fct_account_months.contract_id
),

final as (
    select
        coalesce(periods.contract_id, row_counts.contract_id) as subject,
        concat(
            coalesce(row_counts.row_count, 0),
            ' account-months for a contract that is ',
            case when periods.contract_id is null then 'not ' end,
            'active in the month'
        ) as detail
    from periods
    full outer join row_counts on periods.contract_id = row_counts.contract_id
    where
        periods.contract_id is null
        or row_counts.row_count is distinct from 1
)

select * from final
order by subject
