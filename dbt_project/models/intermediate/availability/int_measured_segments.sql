-- Grain: one segment, of one kind, services and categories, of a class of
-- account-months: those of one scope that are measured over the same time
-- (rule D6). Most share the whole month. Segments of a class never overlap.
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

-- Cut before they are merged: a source that says nothing within the measured
-- period is no evidence of it.
pieces as (
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
),

merged as (
    {{ merge_segments('pieces', ['scope_id', 'measured']) }}
),

final as (
    select
        merged.scope_id,
        merged.measured,
        merged.kind,
        merged.is_covered,
        merged.services,
        merged.categories,
        merged.source_ids,
        merged.started_at,
        merged.ended_at
    from merged
)

select * from final
