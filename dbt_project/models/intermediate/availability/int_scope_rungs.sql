-- Grain: one rung: the time between two neighbouring changes in what a scope
-- sees under a terms version. Rungs: docs/decisions/0009-ladders.md.
with

scope_intervals as (
    select * from {{ ref('int_scope_intervals') }}
),

changes as (
    select
        scope_intervals.scope_id,
        scope_intervals.terms_version,
        scope_intervals.started_at as changed_at
    from scope_intervals
    union
    select
        scope_intervals.scope_id,
        scope_intervals.terms_version,
        scope_intervals.ended_at as changed_at
    from scope_intervals
),

final as (
    select
        changes.scope_id,
        changes.terms_version,
        changes.changed_at as started_at,
        row_number() over in_order as rung,
        lead(changes.changed_at) over in_order as ended_at
    from changes
    window
        in_order as (
            partition by changes.scope_id, changes.terms_version
            order by changes.changed_at
        )
)

select * from final
