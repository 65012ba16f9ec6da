-- Fails if a contract that was active in the build's month, and is no
-- sandbox's, has no account-month, or one has a row that has no such contract
-- (rule P2): a join would have lost an account, or made one.
with

current_build as (
    select * from {{ ref('stg_audit__current_build') }}
),

contracts as (
    select * from {{ ref('stg_accounts__contracts') }}
),

sandboxes as (
    select listed.account_id
    from {{ ref('stg_accounts__accounts') }} as listed
    where listed.is_sandbox
),

zones as (
    select distinct
        terms_versions.terms_id,
        terms_versions.time_zone
    from {{ ref('stg_terms__versions') }} as terms_versions
),

expected as (
    select contracts.contract_id
    from contracts
    cross join current_build
    left outer join zones on contracts.terms_id = zones.terms_id
    where
        contracts.starts_at
        < least(
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
        and raw.start_of_day(
            current_build.service_month,
            coalesce(zones.time_zone, 'UTC')
        )
        < current_build.as_of
        and contracts.account_id not in (
            select sandboxes.account_id from sandboxes
        )
),

found as (
    select account_months.contract_id
    from {{ ref('fct_account_months') }} as account_months
    inner join current_build
        on account_months.service_month = current_build.service_month
)

select
    expected.contract_id as expected_contract_id,
    found.contract_id as found_contract_id
from expected
full outer join found on expected.contract_id = found.contract_id
where expected.contract_id is null or found.contract_id is null
