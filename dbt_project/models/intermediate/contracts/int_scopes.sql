-- Grain: one row per class of what the build's contracts see: region, services
-- (empty = all), terms, and the exclusions and notices that name its accounts.
with

contract_scopes as (
    select * from {{ ref('int_contract_scopes') }}
),

final as (
    select distinct
        contract_scopes.scope_id,
        contract_scopes.region,
        contract_scopes.services,
        contract_scopes.terms_id,
        contract_scopes.source_ids
    from contract_scopes
)

select * from final
