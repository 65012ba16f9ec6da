-- Grain: one row per contract of the build's month that terms can judge: its
-- seconds by kind, before anybody decides on unknown time (rules D6, D8).
with

contract_months as (
    select * from {{ ref('int_contract_months') }}
),

contract_scopes as (
    select * from {{ ref('int_contract_scopes') }}
),

measured_segments as (
    select * from {{ ref('int_measured_segments') }}
),

class_sums as (
    select
        measured_segments.scope_id,
        measured_segments.measured,
        sum({{ seconds_between(
            'measured_segments.started_at', 'measured_segments.ended_at'
        ) }}) filter (where measured_segments.kind = 'counted')
            as counted_seconds,
        sum({{ seconds_between(
            'measured_segments.started_at', 'measured_segments.ended_at'
        ) }}) filter (where measured_segments.kind = 'excluded')
            as excluded_seconds,
        sum({{ seconds_between(
            'measured_segments.started_at', 'measured_segments.ended_at'
        ) }}) filter (
            where
            measured_segments.kind = 'unknown'
            and not measured_segments.is_covered
        ) as unknown_uncovered_seconds,
        sum({{ seconds_between(
            'measured_segments.started_at', 'measured_segments.ended_at'
        ) }}) filter (
            where
            measured_segments.kind = 'unknown'
            and measured_segments.is_covered
        ) as unknown_covered_seconds
    from measured_segments
    group by measured_segments.scope_id, measured_segments.measured
),

final as (
    select
        contract_months.contract_id,
        contract_months.service_month,
        contract_scopes.scope_id,
        contract_months.measured,
        contract_months.measured_seconds,
        coalesce(class_sums.counted_seconds, 0) as counted_seconds,
        coalesce(class_sums.excluded_seconds, 0) as excluded_seconds,
        coalesce(class_sums.unknown_uncovered_seconds, 0)
            as unknown_uncovered_seconds,
        coalesce(class_sums.unknown_covered_seconds, 0)
            as unknown_covered_seconds
    from contract_months
    inner join contract_scopes
        on contract_months.contract_id = contract_scopes.contract_id
    left outer join class_sums
        on
            contract_scopes.scope_id = class_sums.scope_id
            and contract_months.measured = class_sums.measured
)

select * from final
