-- Rule C1.
with

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
),

population as (
    select
        credits.contract_id,
        credits.basis,
        credits.status,
        credits.claim_id,
        terms_versions.claims_required,
        fct_claims.claim_id is not null as is_accepted
    from credits
    left outer join marts.fct_account_months as account_months
        on
            credits.contract_id = account_months.contract_id
            and credits.service_month = account_months.service_month
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
),

final as (
    select
        population.contract_id as subject,
        concat(
            population.basis,
            ' credit owed, and claim ',
            coalesce(population.claim_id, 'none'),
            ' is not accepted'
        ) as detail
    from population
    where
        population.status = 'owed'
        and population.claims_required is not false
        and (
            not population.is_accepted
            or not exists (
                select 1
                from raw.claims
                where claims.claim_id = population.claim_id
            )
        )
)

select * from final
order by subject, detail
