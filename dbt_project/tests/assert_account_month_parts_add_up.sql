-- Fails if counted, excluded, unknown and up of an account-month do not add up
-- to its measured period, to the microsecond (rule D8). Up is what the segments
-- leave of the measured time, so that an overlap or a gap shows.
with

account_months as (
    select * from {{ ref('fct_account_months') }}
),

account_downtime as (
    select * from {{ ref('fct_account_downtime') }}
),

contract_months as (
    select * from {{ ref('int_contract_months') }}
),

covered as (
    select
        account_downtime.contract_id,
        account_downtime.service_month,
        range_agg(
            tstzrange(account_downtime.started_at, account_downtime.ended_at)
        ) as periods
    from account_downtime
    group by account_downtime.contract_id, account_downtime.service_month
),

parts as (
    select
        account_months.contract_id,
        account_months.service_month,
        account_months.measured_seconds,
        account_months.counted_seconds
        + account_months.excluded_seconds
        + account_months.unknown_seconds
        + {{ seconds_in(
            "(contract_months.measured - coalesce(covered.periods, '{}'))"
        ) }} as parts_seconds
    from account_months
    inner join contract_months
        on
            account_months.contract_id = contract_months.contract_id
            and account_months.service_month = contract_months.service_month
    left outer join covered
        on
            account_months.contract_id = covered.contract_id
            and account_months.service_month = covered.service_month
    where account_months.terms_version is not null
)

select parts.*
from parts
where
    parts.parts_seconds is null
    or parts.parts_seconds <> parts.measured_seconds
