-- Grain: one segment of an account-month that is not up; they never overlap.
-- Rule D7: where a person decided on unknown time, it is what was decided.
with

account_month_figures as (
    select * from {{ ref('int_account_month_figures') }}
),

contract_scopes as (
    select * from {{ ref('int_contract_scopes') }}
),

measured_segments as (
    select * from {{ ref('int_measured_segments') }}
),

contract_segments as (
    select
        account_month_figures.contract_id,
        account_month_figures.service_month,
        account_month_figures.is_unknown_decided_down,
        measured_segments.started_at,
        measured_segments.ended_at,
        measured_segments.kind,
        measured_segments.is_covered,
        measured_segments.services,
        measured_segments.categories,
        measured_segments.source_ids
    from account_month_figures
    inner join contract_scopes
        on account_month_figures.contract_id = contract_scopes.contract_id
    inner join measured_segments
        on
            contract_scopes.scope_id = measured_segments.scope_id
            and account_month_figures.measured = measured_segments.measured
),

-- Whether an exclusion covers unknown time splits no segment of the mart.
decided_segments as (
    select
        contract_segments.contract_id,
        contract_segments.service_month,
        contract_segments.started_at,
        contract_segments.ended_at,
        false as is_covered,
        contract_segments.services,
        contract_segments.categories,
        contract_segments.source_ids,
        case
            when
                contract_segments.kind <> 'unknown'
                or contract_segments.is_unknown_decided_down is null
                then contract_segments.kind
            when contract_segments.is_covered then 'excluded'
            else 'counted'
        end as kind
    from contract_segments
    where
        contract_segments.kind <> 'unknown'
        or contract_segments.is_unknown_decided_down is not false
),

merged as (
    {{ merge_segments('decided_segments', ['contract_id', 'service_month']) }}
),

final as (
    select
        merged.contract_id,
        merged.service_month,
        merged.started_at,
        merged.ended_at,
        merged.kind,
        merged.services,
        merged.categories,
        merged.source_ids
    from merged
)

select * from final
