-- Grain: one ticket, contract, severity and instant that a target of the
-- terms is counted from: the deadline that follows (rules R2 and R3).
-- The one place where targets become deadlines.
with

ticket_contracts as (
    select * from {{ ref('int_ticket_contracts') }}
),

severities as (
    select * from {{ ref('int_ticket_severities') }}
),

business_days as (
    select * from {{ ref('int_business_days') }}
),

asked as (
    select
        severities.ticket_id,
        severities.severity,
        severities.given_at as counted_from
    from severities
    where severities.ordinal > 1
    union distinct
    select
        severities.ticket_id,
        severities.severity,
        ticket_contracts.created_at as counted_from
    from severities
    inner join ticket_contracts
        on severities.ticket_id = ticket_contracts.ticket_id
),

targets as (
    select
        asked.ticket_id,
        ticket_contracts.contract_id,
        asked.severity,
        asked.counted_from,
        ticket_contracts.calendar_id,
        ticket_contracts.calendar_time_zone as time_zone,
        asked.counted_from at time zone ticket_contracts.calendar_time_zone
            as local_time,
        (
            ticket_contracts.response_targets
            -> asked.severity ->> 'seconds'
        )::bigint as target_seconds,
        (
            ticket_contracts.response_targets
            -> asked.severity ->> 'business_days'
        )::bigint as target_days
    from asked
    inner join ticket_contracts
        on asked.ticket_id = ticket_contracts.ticket_id
),

local_dues as (
    select
        targets.*,
        due_days.started_at,
        due_days.utc_offset,
        due_days.changed_at,
        due_days.later_utc_offset,
        due_days.local_day + case
            when from_days.is_business_day then targets.local_time::time
            else time '00:00'
        end as local_due
    from targets
    left outer join business_days as from_days
        on
            targets.target_days is not null
            and targets.calendar_id = from_days.calendar_id
            and targets.time_zone = from_days.time_zone
            and targets.local_time::date = from_days.local_day
    left outer join business_days as due_days
        on
            from_days.calendar_id = due_days.calendar_id
            and from_days.time_zone = due_days.time_zone
            and due_days.is_business_day
            and from_days.business_day_number
            + targets.target_days
            + case when from_days.is_business_day then 0 else 1 end
            = due_days.business_day_number
),

final as (
    select
        local_dues.ticket_id,
        local_dues.contract_id,
        local_dues.severity,
        local_dues.counted_from,
        case
            when local_dues.target_seconds is not null
                then
                    local_dues.counted_from
                    + local_dues.target_seconds * interval '1 second'
            -- Due at once, though its local time may have come before.
            when
                local_dues.target_days = 0
                and local_dues.local_due = local_dues.local_time
                then local_dues.counted_from
            when
                local_dues.local_due
                < (local_dues.changed_at at time zone 'UTC')
                + local_dues.utc_offset
                or local_dues.changed_at is null
                then greatest(
                    local_dues.started_at,
                    (local_dues.local_due - local_dues.utc_offset)
                    at time zone 'UTC'
                )
            else greatest(
                local_dues.changed_at,
                (local_dues.local_due - local_dues.later_utc_offset)
                at time zone 'UTC'
            )
        end as due_at
    from local_dues
)

select * from final
