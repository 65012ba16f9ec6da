-- Fails if a credit is owed without a guarantee, in a month that is not plainly
-- measured, or without its accepted claim where one is required (U5, C1).
with

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

credits as (
    select * from {{ ref('fct_credits') }}
),

account_months as (
    select * from {{ ref('fct_account_months') }}
),

claims as (
    select * from {{ ref('fct_claims') }}
),

versions as (
    select * from {{ ref('stg_terms__versions') }}
),

final as (
    select
        credits.contract_id,
        credits.basis,
        credits.claim_id
    from credits
    inner join build
        on credits.service_month = build.service_month
    left outer join account_months
        on
            credits.contract_id = account_months.contract_id
            and credits.service_month = account_months.service_month
    left outer join versions
        on
            account_months.terms_id = versions.terms_id
            and account_months.terms_version = versions.terms_version
    left outer join claims
        on
            credits.claim_id = claims.claim_id
            and credits.contract_id = claims.contract_id
            and credits.service_month = claims.service_month
            and claims.status = 'accepted'
    where
        credits.status = 'owed'
        and (
            account_months.guaranteed is not true
            or account_months.status in ('provisional', 'blocked')
            or (
                account_months.status = 'held'
                and credits.basis = 'availability'
            )
            or (
                versions.claims_required is not false
                and claims.claim_id is null
            )
        )
)

select * from final
