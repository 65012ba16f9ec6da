-- Rule U5, by the contract and the terms as they came.
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

contracts as (
    select distinct on (contracts.contract_id) contracts.*
    from raw.contracts
    inner join raw.source_objects
        on contracts.object_id = source_objects.object_id
    where source_objects.is_in_force
    order by
        contracts.contract_id asc,
        source_objects.exported_at desc,
        convert_to(source_objects.key, 'UTF8') desc,
        contracts.line_number desc
),

final as (
    select
        credits.contract_id as subject,
        concat(credits.basis, ' credit owed without a guarantee') as detail
    from credits
    left outer join contracts on credits.contract_id = contracts.contract_id
    left outer join account_months
        on credits.contract_id = account_months.contract_id
    left outer join raw.terms_versions
        on
            contracts.terms_id = terms_versions.terms_id
            and account_months.terms_version = terms_versions.terms_version
    where
        credits.status = 'owed'
        and not coalesce(
            contracts.active_agreement
            and terms_versions.is_guaranteed
            and account_months.guaranteed,
            false
        )
)

select * from final
order by subject, detail
