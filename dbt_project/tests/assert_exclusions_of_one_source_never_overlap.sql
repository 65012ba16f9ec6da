-- Fails if two intervals of one source overlap or touch for a scope, service
-- and region: the evidence would show one exclusion twice (rule X5).
with

scope_exclusions as (
    select * from {{ ref('int_scope_exclusions') }}
),

neighbours as (
    select
        scope_exclusions.scope_id,
        scope_exclusions.service,
        scope_exclusions.region,
        scope_exclusions.source_id,
        scope_exclusions.started_at,
        scope_exclusions.ended_at,
        lead(scope_exclusions.started_at) over (
            partition by
                scope_exclusions.scope_id,
                scope_exclusions.service,
                scope_exclusions.region,
                scope_exclusions.source_kind,
                scope_exclusions.source_id
            order by scope_exclusions.started_at
        ) as next_started_at
    from scope_exclusions
)

select * from neighbours
where
    ended_at <= started_at
    or next_started_at <= ended_at
