-- Grain: one ticket event that had happened by the as-of time.
with

events as (
    select * from {{ ref('stg_tickets__events') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

final as (
    select events.*
    from events
    inner join build
        on events.occurred_at <= build.as_of
)

select * from final
