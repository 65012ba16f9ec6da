-- Grain: one notice sent by the as-of time; a later one does not exist yet.
-- Rule X4: `taken` is what it takes from the windows of the notices of its
-- maintenance that come before it, for whomever it is addressed to.
with

notices as (
    select * from {{ ref('stg_notices__notices') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

measured as (
    select * from {{ ref('int_window') }}
),

sent as (
    select
        notices.*,
        case
            when notices.action <> 'cancel'
                then
                    tstzrange(
                        notices.window_starts_at, notices.window_ends_at
                    )
        end as maintenance_window,
        -- Of two sent at one instant neither is the later one.
        dense_rank() over (
            partition by notices.maintenance_id order by notices.sent_at
        ) as ordinal
    from notices
    cross join build
    where notices.sent_at <= build.as_of
),

-- A notice without a window, or with one elsewhere, still takes away from
-- those of its maintenance: it is the maintenance that is in reach.
maintenances_in_reach as (
    select distinct sent.maintenance_id
    from sent
    cross join measured
    where
        sent.maintenance_window
        && tstzrange(measured.started_at, measured.ended_at)
),

final as (
    select
        sent.notice_id,
        sent.maintenance_id,
        sent.ordinal,
        sent.action,
        sent.channel,
        sent.sent_at,
        sent.maintenance_window,
        {{ seconds_between('sent.sent_at', 'sent.window_starts_at') }}
            as lead_seconds,
        case
            when sent.action in ('move', 'cancel')
                then tstzmultirange(tstzrange(sent.sent_at, null))
            when sent.action = 'cut'
                then
                    tstzmultirange(tstzrange(sent.sent_at, null))
                    - tstzmultirange(sent.maintenance_window)
            else '{}'::tstzmultirange
        end as taken,
        sent.component_ids,
        sent.account_ids,
        sent.object_id,
        sent.line_number
    from sent
    inner join maintenances_in_reach
        on sent.maintenance_id = maintenances_in_reach.maintenance_id
)

select * from final
