-- Fails if two segments of an account-month overlap, or touch and are alike:
-- time would be taken twice, or one outage shown as two.
with

current_build as (
    select * from {{ ref('stg_audit__current_build') }}
),

account_downtime as (
    select account_downtime.*
    from {{ ref('fct_account_downtime') }} as account_downtime
    inner join current_build
        on account_downtime.service_month = current_build.service_month
),

neighbours as (
    select
        account_downtime.contract_id,
        account_downtime.service_month,
        account_downtime.started_at,
        account_downtime.ended_at,
        lead(account_downtime.started_at) over in_order as next_started_at,
        (
            account_downtime.kind,
            account_downtime.services,
            account_downtime.categories
        )
        = lead(
            (
                account_downtime.kind,
                account_downtime.services,
                account_downtime.categories
            )
        ) over in_order as is_alike
    from account_downtime
    window
        in_order as (
            partition by
                account_downtime.contract_id, account_downtime.service_month
            order by account_downtime.started_at
        )
)

select neighbours.*
from neighbours
where
    neighbours.ended_at <= neighbours.started_at
    or neighbours.next_started_at < neighbours.ended_at
    or (
        neighbours.next_started_at = neighbours.ended_at
        and neighbours.is_alike
    )
