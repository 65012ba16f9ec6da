-- Grain: one interval between two changes of a pair (service, region), per way
-- of judging, in which it is down, or might be.
-- Rules M5, D2: `is_down_low` takes unknown monitoring for up, `is_down_high`
-- for down. Rungs: docs/decisions/0009-ladders.md.
with

pair_evidence as (
    select * from {{ ref('int_pair_evidence') }}
),

rungs as (
    select * from {{ ref('int_pair_rungs') }}
),

covered as (
    select
        pair_evidence.judgement_id,
        pair_evidence.evidence,
        pair_evidence.service,
        pair_evidence.region,
        pair_evidence.source_kind,
        pair_evidence.source_id,
        pair_evidence.state,
        generate_series(first_rungs.rung, last_rungs.rung - 1) as rung
    from pair_evidence
    inner join rungs as first_rungs
        on
            pair_evidence.judgement_id = first_rungs.judgement_id
            and pair_evidence.service = first_rungs.service
            and pair_evidence.region = first_rungs.region
            and pair_evidence.started_at = first_rungs.started_at
    inner join rungs as last_rungs
        on
            pair_evidence.judgement_id = last_rungs.judgement_id
            and pair_evidence.service = last_rungs.service
            and pair_evidence.region = last_rungs.region
            and pair_evidence.ended_at = last_rungs.started_at
),

states as (
    select
        covered.judgement_id,
        covered.service,
        covered.region,
        covered.rung,
        min(covered.evidence) as evidence,
        bool_or(covered.source_kind = 'monitor' and covered.state = 'down')
            as is_monitoring_down,
        bool_or(covered.source_kind = 'monitor') as is_monitoring_not_up,
        bool_or(covered.source_kind = 'incident') as is_declared_down,
        -- What says down, and what would have to say it where nothing does.
        {{ sorted_texts('covered.source_id') }} filter (
            where covered.state = 'down'
        ) as down_source_ids,
        {{ sorted_texts('covered.source_id') }} filter (
            where covered.source_kind = 'incident' or covered.state = 'unknown'
        ) as unknown_source_ids
    from covered
    group by
        covered.judgement_id, covered.service, covered.region, covered.rung
),

scenarios as (
    select
        states.*,
        case
            when states.evidence = 'both'
                then states.is_monitoring_down and states.is_declared_down
            else states.is_monitoring_down or states.is_declared_down
        end as is_down_low,
        case
            when states.evidence = 'both'
                then states.is_monitoring_not_up and states.is_declared_down
            else states.is_monitoring_not_up or states.is_declared_down
        end as is_down_high
    from states
),

final as (
    select
        scenarios.judgement_id,
        scenarios.service,
        scenarios.region,
        rungs.started_at,
        rungs.ended_at,
        scenarios.is_down_low,
        scenarios.is_down_high,
        case
            when scenarios.is_down_low then scenarios.down_source_ids
            else scenarios.unknown_source_ids
        end as source_ids
    from scenarios
    inner join rungs
        on
            scenarios.judgement_id = rungs.judgement_id
            and scenarios.service = rungs.service
            and scenarios.region = rungs.region
            and scenarios.rung = rungs.rung
    where scenarios.is_down_high
)

select * from final
