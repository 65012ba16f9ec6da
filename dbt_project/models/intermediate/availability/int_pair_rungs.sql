-- Grain: one rung: the time between two neighbouring changes in the evidence
-- against a pair, per way of judging. Rungs: docs/decisions/0009-ladders.md.
with

pair_evidence as (
    select * from {{ ref('int_pair_evidence') }}
),

changes as (
    select
        pair_evidence.judgement_id,
        pair_evidence.service,
        pair_evidence.region,
        pair_evidence.started_at as changed_at
    from pair_evidence
    union
    select
        pair_evidence.judgement_id,
        pair_evidence.service,
        pair_evidence.region,
        pair_evidence.ended_at as changed_at
    from pair_evidence
),

final as (
    select
        changes.judgement_id,
        changes.service,
        changes.region,
        changes.changed_at as started_at,
        row_number() over in_order as rung,
        lead(changes.changed_at) over in_order as ended_at
    from changes
    window
        in_order as (
            partition by
                changes.judgement_id, changes.service, changes.region
            order by changes.changed_at
        )
)

select * from final
