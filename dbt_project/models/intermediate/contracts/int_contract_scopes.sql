-- Grain: one row per contract of the build's month that terms can judge, with
-- the class of what it sees (design.md, choice 2).
with

contract_months as (
    select * from {{ ref('int_contract_months') }}
),

account_sources as (
    select * from {{ ref('int_account_sources') }}
),

seen as (
    select
        contract_months.contract_id,
        contract_months.region,
        contract_months.services,
        contract_months.terms_id,
        coalesce(account_sources.source_ids, '{}') as source_ids
    from contract_months
    left outer join account_sources
        on contract_months.account_id = account_sources.account_id
    where contract_months.terms_version is not null
),

final as (
    select
        seen.contract_id,
        seen.region,
        seen.services,
        seen.terms_id,
        seen.source_ids,
        -- Built from the values alone, so that it is the same in every run.
        md5(
            jsonb_build_array(
                seen.terms_id, seen.region, seen.services, seen.source_ids
            )::text
        ) as scope_id
    from seen
)

select * from final
