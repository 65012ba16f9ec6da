-- Fails if a claim received by the as-of time has no verdict, or a contract's
-- month has two accepted claims: it would be forgotten, or credited twice.
with

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

merged as (
    select * from {{ ref('int_claims') }}
),

claims as (
    select fct_claims.*
    from {{ ref('fct_claims') }} as fct_claims
    inner join build
        on fct_claims.service_month = build.service_month
),

final as (
    select
        merged.claim_id as subject,
        'without a verdict' as problem
    from merged
    left outer join claims
        on merged.claim_id = claims.claim_id
    where claims.claim_id is null
    union all
    select
        claims.contract_id as subject,
        'more than one accepted claim' as problem
    from claims
    where claims.status = 'accepted'
    group by claims.contract_id
    having count(*) > 1
)

select * from final
