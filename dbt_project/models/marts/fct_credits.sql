with

credits as (
    select * from {{ ref('int_credits') }}
),

final as (
    select
        credits.account_id,
        credits.contract_id,
        credits.service_month,
        credits.basis,
        credits.credit_percent,
        credits.monthly_fee,
        credits.currency,
        credits.amount,
        credits.status,
        credits.reason,
        credits.claim_id
    from credits
)

select * from final
