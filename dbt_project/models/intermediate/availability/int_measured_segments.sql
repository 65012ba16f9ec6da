-- Grain: one segment of a class of account-months: those of one scope that are
-- measured over the same time (rule D6). Most share the whole month.
with

contract_months as (
    select * from {{ ref('int_contract_months') }}
),

contract_scopes as (
    select * from {{ ref('int_contract_scopes') }}
),

scope_segments as (
    select * from {{ ref('int_scope_segments') }}
),

classes as (
    select distinct
        contract_scopes.scope_id,
        contract_months.measured
    from contract_months
    inner join contract_scopes
        on contract_months.contract_id = contract_scopes.contract_id
),

final as (
    select
        classes.scope_id,
        classes.measured,
        scope_segments.kind,
        scope_segments.is_covered,
        scope_segments.services,
        scope_segments.categories,
        scope_segments.source_ids,
        lower(pieces.piece) as started_at,
        upper(pieces.piece) as ended_at
    from classes
    inner join scope_segments on classes.scope_id = scope_segments.scope_id
    cross join lateral unnest(
        classes.measured
        * tstzmultirange(
            tstzrange(scope_segments.started_at, scope_segments.ended_at)
        )
    ) as pieces (piece)
)

select * from final
