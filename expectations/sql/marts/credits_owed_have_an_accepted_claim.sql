-- Rule C1.
with

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
),

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

final as (
    select
        credits.contract_id as subject,
        concat(
            credits.basis,
            ' credit owed, and claim ',
            coalesce(credits.claim_id, 'none'),
            ' is not accepted'
        ) as detail
    from credits
    left outer join account_months
        on credits.contract_id = account_months.contract_id
    left outer join raw.terms_versions
        on
            account_months.terms_id = terms_versions.terms_id
            and account_months.terms_version = terms_versions.terms_version
    left outer join marts.fct_claims
        on
            credits.claim_id = fct_claims.claim_id
            and credits.contract_id = fct_claims.contract_id
            and credits.service_month = fct_claims.service_month
            and fct_claims.status = 'accepted'
    where
        credits.status = 'owed'
        and terms_versions.claims_required is not false
        and (
            fct_claims.claim_id is null
            or not exists (
                select 1
                from raw.claims
                where claims.claim_id = credits.claim_id
            )
        )
)

select * from final
order by subject, detail
