-- Fails if a claim is not in exactly one state for each contract that its
-- account had in the month (where it had none: in exactly one), or a contract's
-- month has two accepted claims: one would be forgotten, or credited twice
-- (rules C5 to C7).
with

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

merged as (
    select * from {{ ref('int_claims') }}
),

account_months as (
    select fct_account_months.*
    from {{ ref('fct_account_months') }} as fct_account_months
    inner join build
        on fct_account_months.service_month = build.service_month
),

claims as (
    select
        fct_claims.*,
        coalesce(fct_claims.contract_id, '') as judged_for
    from {{ ref('fct_claims') }} as fct_claims
    inner join build
        on fct_claims.service_month = build.service_month
),

expected as (
    select
        merged.claim_id,
        coalesce(account_months.contract_id, '') as judged_for
    from merged
    left outer join account_months
        on merged.account_id = account_months.account_id
),

states as (
    select
        claims.claim_id,
        claims.judged_for,
        count(claims.status) as state_count
    from claims
    group by claims.claim_id, claims.judged_for
),

final as (
    select
        coalesce(expected.claim_id, states.claim_id) as subject,
        'not in exactly one state for contract '
        || coalesce(expected.judged_for, states.judged_for) as problem
    from expected
    full outer join states
        on
            expected.claim_id = states.claim_id
            and expected.judged_for = states.judged_for
    where expected.claim_id is null or states.state_count is distinct from 1
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
