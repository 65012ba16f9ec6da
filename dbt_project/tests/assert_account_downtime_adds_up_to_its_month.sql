-- Fails if the segments of an account-month do not come to its columns: what
-- the evidence shows would not be what is credited.
with

current_build as (
    select * from {{ ref('stg_audit__current_build') }}
),

account_months as (
    select account_months.*
    from {{ ref('fct_account_months') }} as account_months
    inner join current_build
        on account_months.service_month = current_build.service_month
),

account_downtime as (
    select
        account_downtime.*,
        {{ seconds_between(
            'account_downtime.started_at', 'account_downtime.ended_at'
        ) }} as segment_seconds
    from {{ ref('fct_account_downtime') }} as account_downtime
    inner join current_build
        on account_downtime.service_month = current_build.service_month
),

sums as (
    select
        account_downtime.contract_id,
        sum(account_downtime.segment_seconds) filter (
            where account_downtime.kind = 'counted'
        ) as counted_seconds,
        sum(account_downtime.segment_seconds) filter (
            where account_downtime.kind = 'excluded'
        ) as excluded_seconds,
        sum(account_downtime.segment_seconds) filter (
            where account_downtime.kind = 'unknown'
        ) as unknown_seconds
    from account_downtime
    group by account_downtime.contract_id
)

select
    account_months.counted_seconds,
    account_months.excluded_seconds,
    account_months.unknown_seconds,
    coalesce(account_months.contract_id, sums.contract_id) as contract_id
from account_months
full outer join sums on account_months.contract_id = sums.contract_id
where
    (
        coalesce(account_months.counted_seconds, 0),
        coalesce(account_months.excluded_seconds, 0),
        coalesce(account_months.unknown_seconds, 0)
    )
    <> (
        coalesce(sums.counted_seconds, 0),
        coalesce(sums.excluded_seconds, 0),
        coalesce(sums.unknown_seconds, 0)
    )
    or account_months.contract_id is null
