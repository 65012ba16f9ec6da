-- Grain: one thing that the contracts of the build's month report: code, the
-- contract, where it was read, and the detail (rules M5, T1, T2, T3).
with recursive

contract_months as (
    select * from {{ ref('int_contract_months') }}
),

contracts as (
    select * from {{ ref('stg_accounts__contracts') }}
),

accounts as (
    select * from {{ ref('stg_accounts__accounts') }}
),

contract_scopes as (
    select * from {{ ref('int_contract_scopes') }}
),

scope_versions as (
    select * from {{ ref('int_scope_versions') }}
),

terms_versions as (
    select * from {{ ref('stg_terms__versions') }}
),

catalog_pairs as (
    select
        monitors.service,
        monitors.region,
        true as is_monitored,
        false as is_on_page
    from {{ ref('stg_catalog__monitors') }} as monitors
    union
    select
        components.service,
        components.region,
        false as is_monitored,
        true as is_on_page
    from {{ ref('stg_catalog__components') }} as components
),

observed_pairs as materialized (
    select
        catalog_pairs.service,
        catalog_pairs.region,
        bool_or(catalog_pairs.is_monitored) as is_monitored,
        bool_or(catalog_pairs.is_on_page) as is_on_page
    from catalog_pairs
    group by catalog_pairs.service, catalog_pairs.region
),

-- One region must have all that its evidence asks for (rules D2, D3).
core_services as (
    select
        contract_months.contract_id,
        contract_months.region,
        contracts.object_id,
        scope_versions.evidence,
        core.service,
        bool_or(
            case scope_versions.evidence
                when 'monitoring' then observed_pairs.is_monitored
                when 'status_page' then observed_pairs.is_on_page
                when 'both'
                    then
                        observed_pairs.is_monitored
                        and observed_pairs.is_on_page
                else observed_pairs.service is not null
            end
        ) as is_observed
    from contract_months
    inner join contracts
        on contract_months.contract_id = contracts.contract_id
    inner join contract_scopes
        on contract_months.contract_id = contract_scopes.contract_id
    inner join scope_versions
        on contract_scopes.scope_id = scope_versions.scope_id
    cross join lateral unnest(scope_versions.services) as core (service)
    left outer join observed_pairs
        on
            core.service = observed_pairs.service
            and observed_pairs.region in (contract_months.region, 'global')
    group by
        contract_months.contract_id,
        contract_months.region,
        contracts.object_id,
        scope_versions.evidence,
        core.service
),

unobserved_services as (
    select
        'core_service_unobserved' as code,
        core_services.contract_id as subject,
        core_services.object_id,
        format(
            'core service %s has no %s in region %s or global, and so is never'
            ' down for it',
            core_services.service,
            case core_services.evidence
                when 'monitoring' then 'monitor'
                when 'status_page' then 'component'
                when 'both' then 'monitor together with a component'
                else 'monitor or component'
            end,
            core_services.region
        ) as detail
    from core_services
    where core_services.is_observed is not true
),

unknown_regions as (
    select
        'contract_region_unknown' as code,
        contract_months.contract_id as subject,
        contracts.object_id,
        format('the catalog has no region %s', contract_months.region)
            as detail
    from contract_months
    inner join contracts
        on contract_months.contract_id = contracts.contract_id
    where
        contract_months.region not in (
            select catalog_pairs.region from catalog_pairs
        )
),

unknown_services as (
    select
        'contract_service_unknown' as code,
        contract_months.contract_id as subject,
        contracts.object_id,
        format('the catalog has no service %s', subscribed.service) as detail
    from contract_months
    inner join contracts
        on contract_months.contract_id = contracts.contract_id
    cross join
        lateral
        unnest(contract_months.services) as subscribed (service)
    where
        subscribed.service not in (
            select catalog_pairs.service from catalog_pairs
        )
),

unknown_accounts as (
    select
        'contract_account_unknown' as code,
        contract_months.contract_id as subject,
        contracts.object_id,
        format('no export has account %s', contract_months.account_id)
            as detail
    from contract_months
    inner join contracts
        on contract_months.contract_id = contracts.contract_id
    left outer join accounts on contract_months.account_id = accounts.account_id
    where accounts.account_id is null
),

blocked_terms as (
    select
        contract_months.blocked_reason as code,
        contract_months.contract_id as subject,
        contracts.object_id,
        format(
            'terms %s: the account-month is blocked', contract_months.terms_id
        ) as detail
    from contract_months
    inner join contracts
        on contract_months.contract_id = contracts.contract_id
    where contract_months.terms_version is null
),

changed_terms as (
    select
        'terms_changed_in_month' as code,
        contract_months.contract_id as subject,
        contracts.object_id,
        format(
            'terms %s: tiers by version %s, downtime and exclusions by %s',
            contract_months.terms_id,
            contract_months.terms_version,
            string_agg(
                format(
                    '%s from %s',
                    terms_versions.terms_version,
                    {{ instant_text('terms_versions.effective_from') }}
                ),
                ', ' order by terms_versions.effective_from
            )
        ) as detail
    from contract_months
    inner join contracts
        on contract_months.contract_id = contracts.contract_id
    inner join terms_versions
        on
            contract_months.terms_id = terms_versions.terms_id
            and contract_months.measured && tstzrange(
                terms_versions.effective_from, terms_versions.effective_until
            )
    where contract_months.terms_version is not null
    group by
        contract_months.contract_id,
        contracts.object_id,
        contract_months.terms_id,
        contract_months.terms_version
    having count(*) > 1
),

used_terms as (
    select distinct
        terms_versions.terms_id,
        terms_versions.terms_version
    from contract_months
    inner join terms_versions
        on
            contract_months.terms_id = terms_versions.terms_id
            and contract_months.month_starts_at
            < coalesce(terms_versions.effective_until, 'infinity')
            and contract_months.month_ends_at > terms_versions.effective_from
),

-- What a version inherits changes with its parents, too (rule T2).
lineage as (
    select
        used_terms.terms_id,
        used_terms.terms_version
    from used_terms
    union distinct
    select
        terms_versions.extends_terms_id as terms_id,
        terms_versions.extends_terms_version as terms_version
    from lineage
    inner join terms_versions
        on
            lineage.terms_id = terms_versions.terms_id
            and lineage.terms_version = terms_versions.terms_version
    where terms_versions.extends_terms_id is not null
),

late_terms as (
    select
        'terms_landed_late' as code,
        terms_versions.terms_id || ' ' || terms_versions.terms_version
            as subject,
        terms_versions.object_id,
        format(
            'landed after its effective_from %s, and holds from there',
            {{ instant_text('terms_versions.effective_from') }}
        ) as detail
    from lineage
    inner join terms_versions
        on
            lineage.terms_id = terms_versions.terms_id
            and lineage.terms_version = terms_versions.terms_version
    where terms_versions.is_landed_late
),

final as (
    select * from unobserved_services
    union all
    select * from unknown_regions
    union all
    select * from unknown_services
    union all
    select * from unknown_accounts
    union all
    select * from blocked_terms
    union all
    select * from changed_terms
    union all
    select * from late_terms
)

select * from final
