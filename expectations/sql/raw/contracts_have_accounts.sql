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

zones as (
    select distinct
        terms_versions.terms_id,
        terms_versions.time_zone
    from raw.terms_versions
),

active_contracts as (
    select contracts.*
    from contracts
    cross join audit.current_build
    left outer join zones on contracts.terms_id = zones.terms_id
    where
        contracts.starts_at < least(
            raw.start_of_day(
                (current_build.service_month + interval '1 month')::date,
                coalesce(zones.time_zone, 'UTC')
            ),
            current_build.as_of
        )
        and coalesce(contracts.ends_at, 'infinity')
        > raw.start_of_day(
            current_build.service_month,
            coalesce(zones.time_zone, 'UTC')
        )
),

account_ids as (
    select distinct accounts.account_id
    from raw.accounts
    inner join raw.source_objects
        on accounts.object_id = source_objects.object_id
    where source_objects.is_in_force
),

final as (
    select
        active_contracts.contract_id as subject,
        concat('account ', active_contracts.account_id, ' is unknown')
            as detail
    from active_contracts
    where not exists (
        select 1
        from account_ids
        where account_ids.account_id = active_contracts.account_id
    )
)

select * from final
order by subject
