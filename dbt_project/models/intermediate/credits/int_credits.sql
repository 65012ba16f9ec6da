-- Grain: one contract of the build's month and basis: what is owed, once the
-- claims have been judged (rules C1 and C5; contracts.md, `fct_credits`).
with

credit_bases as (
    select * from {{ ref('int_credit_bases') }}
),

claim_terms as (
    select * from {{ ref('int_claim_terms') }}
),

verdicts as (
    select * from {{ ref('int_claim_verdicts') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

-- The accepted claim, else the first that is open.
claims as (
    select distinct on (verdicts.contract_id)
        verdicts.contract_id,
        verdicts.claim_id,
        verdicts.status
    from verdicts
    where
        verdicts.contract_id is not null
        and verdicts.status in ('accepted', 'pending', 'needs_review')
    order by
        verdicts.contract_id asc,
        verdicts.status = 'accepted' desc,
        verdicts.received_at asc,
        {{ in_byte_order('verdicts.claim_id') }}
),

final as (
    select
        credit_bases.account_id,
        credit_bases.contract_id,
        credit_bases.service_month,
        credit_bases.basis,
        credit_bases.credit_percent,
        credit_bases.monthly_fee,
        credit_bases.currency,
        credit_bases.amount,
        claims.claim_id,
        claim_terms.is_claim_required,
        claim_terms.deadline_at,
        case
            when credit_bases.standing in ('held', 'blocked')
                then credit_bases.standing
            when credit_bases.standing = 'provisional' then 'pending'
            when credit_bases.standing <> 'eligible' then 'not_eligible'
            when not claim_terms.is_claim_required then 'owed'
            when claims.status = 'accepted' then 'owed'
            when claims.status is not null then 'pending'
            when build.as_of < claim_terms.deadline_at
                then 'eligible_unclaimed'
            else 'expired'
        end as status,
        case
            when credit_bases.standing <> 'eligible' then credit_bases.reason
            when not claim_terms.is_claim_required then 'no_claim_required'
            when claims.status = 'accepted' then 'claim_accepted'
            when claims.status = 'needs_review' then 'claim_in_review'
            when claims.status is not null then 'claim_pending'
            when build.as_of < claim_terms.deadline_at then 'unclaimed'
            else 'claim_deadline_passed'
        end as reason
    from credit_bases
    cross join build
    inner join claim_terms
        on credit_bases.contract_id = claim_terms.contract_id
    left outer join claims
        on credit_bases.contract_id = claims.contract_id
)

select * from final
