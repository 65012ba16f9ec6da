-- Grain: one ticket with an active contract and a severity: the contract that
-- decides (rule R2), and what is left of its deadline when the changes of
-- severity have been gone through in order (rule R4).
with recursive

tickets as (
    select * from {{ ref('int_tickets') }}
),

ticket_contracts as (
    select * from {{ ref('int_ticket_contracts') }}
),

severities as (
    select * from {{ ref('int_ticket_severities') }}
),

targets as (
    select * from {{ ref('int_ticket_targets') }}
),

events as (
    select * from {{ ref('int_ticket_events') }}
),

beginnings as (
    select distinct on (ticket_contracts.ticket_id)
        ticket_contracts.ticket_id,
        ticket_contracts.contract_id,
        severities.severity,
        targets.due_at,
        ticket_contracts.created_at,
        tickets.own_created_at,
        case ticket_contracts.counted_reply
            when 'any'
                then least(
                    tickets.first_human_reply_at, tickets.first_ai_reply_at
                )
            else tickets.first_human_reply_at
        end as counted_reply_at
    from ticket_contracts
    inner join tickets
        on ticket_contracts.ticket_id = tickets.ticket_id
    left outer join severities
        on
            ticket_contracts.ticket_id = severities.ticket_id
            and severities.ordinal = 1
    left outer join targets
        on
            ticket_contracts.ticket_id = targets.ticket_id
            and ticket_contracts.contract_id = targets.contract_id
            and ticket_contracts.created_at = targets.counted_from
            and severities.severity = targets.severity
    order by
        ticket_contracts.ticket_id,
        targets.due_at,
        {{ in_byte_order('ticket_contracts.contract_id') }}
),

happenings as (
    select
        beginnings.ticket_id,
        severities.given_at as happened_at,
        severities.severity,
        raised.due_at as due_from_change_at,
        lowered.due_at as due_from_creation_at,
        severities.ordinal
    from beginnings
    inner join severities
        on
            beginnings.ticket_id = severities.ticket_id
            and (
                beginnings.counted_reply_at is null
                or beginnings.counted_reply_at >= severities.given_at
            )
    left outer join targets as raised
        on
            beginnings.ticket_id = raised.ticket_id
            and beginnings.contract_id = raised.contract_id
            and severities.severity = raised.severity
            and severities.given_at = raised.counted_from
    left outer join targets as lowered
        on
            beginnings.ticket_id = lowered.ticket_id
            and beginnings.contract_id = lowered.contract_id
            and severities.severity = lowered.severity
            and beginnings.created_at = lowered.counted_from
    union all
    select
        beginnings.ticket_id,
        events.occurred_at as happened_at,
        null::text as severity,
        null::timestamptz as due_from_change_at,
        null::timestamptz as due_from_creation_at,
        null::bigint as ordinal
    from beginnings
    inner join events
        on
            beginnings.ticket_id = events.ticket_id
            and events.event_type = 'status_changed'
            and events.actor = 'customer'
            and events.status in ('solved', 'closed')
            and beginnings.own_created_at <= events.occurred_at
            and (
                beginnings.counted_reply_at is null
                or beginnings.counted_reply_at > events.occurred_at
            )
),

steps as (
    select
        happenings.*,
        row_number() over (
            partition by happenings.ticket_id
            order by happenings.happened_at, happenings.ordinal nulls last
        ) as step
    from happenings
),

folded as (
    select
        beginnings.ticket_id,
        beginnings.severity,
        beginnings.due_at,
        false as is_solved_by_customer,
        0::bigint as step
    from beginnings
    union all
    select
        folded.ticket_id,
        case
            when steps.severity is null or steps.happened_at > folded.due_at
                then folded.severity
            else steps.severity
        end as severity,
        case
            when steps.happened_at > folded.due_at then folded.due_at
            -- P1 is above P2: raised.
            when steps.severity < folded.severity
                then least(folded.due_at, steps.due_from_change_at)
            when steps.severity > folded.severity
                then greatest(folded.due_at, steps.due_from_creation_at)
            else folded.due_at
        end as due_at,
        folded.is_solved_by_customer
        or (
            steps.severity is null
            and steps.happened_at < folded.due_at
        ) as is_solved_by_customer,
        steps.step
    from folded
    inner join steps
        on
            folded.ticket_id = steps.ticket_id
            and folded.step + 1 = steps.step
    where not folded.is_solved_by_customer
),

last_steps as (
    select distinct on (folded.ticket_id) folded.*
    from folded
    order by folded.ticket_id asc, folded.step desc
),

final as (
    select
        last_steps.ticket_id,
        beginnings.contract_id,
        beginnings.counted_reply_at,
        last_steps.severity,
        last_steps.due_at,
        last_steps.is_solved_by_customer
    from last_steps
    inner join beginnings
        on last_steps.ticket_id = beginnings.ticket_id
)

select * from final
