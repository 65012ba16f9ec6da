-- Rule U5, by the contract and the terms as they came.
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
        coalesce(
            contracts.active_agreement
            and terms_versions.is_guaranteed
            and account_months.guaranteed,
            false
        ) as is_guaranteed
    from credits
    left outer join gate.contracts
        on credits.contract_id = contracts.contract_id
    left outer join marts.fct_account_months as account_months
        on
            credits.contract_id = account_months.contract_id
            and credits.service_month = account_months.service_month
    left outer join raw.terms_versions
        on
            contracts.terms_id = terms_versions.terms_id
            and account_months.terms_version = terms_versions.terms_version
),

final as (
    select
        population.contract_id as subject,
        concat(population.basis, ' credit owed without a guarantee') as detail
    from population
    where population.status = 'owed' and not population.is_guaranteed
)

select * from final
order by subject, detail
