-- Grain: one ticket of the build's service month (rule R8): rules R5 and R6.
with

tickets as (
    select * from {{ ref('int_tickets') }}
),

ticket_contracts as (
    select * from {{ ref('int_ticket_contracts') }}
),

deadlines as (
    select * from {{ ref('int_ticket_deadlines') }}
),

severities as (
    select * from {{ ref('int_ticket_severities') }}
),

business_days as (
    select * from {{ ref('int_business_days') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

latest_severities as (
    select distinct on (severities.ticket_id)
        severities.ticket_id,
        severities.severity
    from severities
    order by
        severities.ticket_id asc,
        severities.ordinal desc
),

of_month as (
    select
        tickets.*,
        build.service_month,
        build.as_of,
        deadlines.contract_id,
        ticket_contracts.terms_id,
        ticket_contracts.terms_version,
        ticket_contracts.calendar_id,
        ticket_contracts.calendar_time_zone,
        deadlines.counted_reply_at,
        deadlines.severity as deadline_severity,
        latest_severities.severity as latest_severity,
        deadlines.due_at,
        coalesce(ticket_contracts.is_guaranteed, false) as is_guaranteed,
        case
            when not tickets.is_customers then 'opened_by_company'
            when tickets.is_spam then 'spam'
            when latest_severities.severity is null then 'no_severity'
            when deadlines.contract_id is null then 'no_active_contract'
            when ticket_contracts.terms_id is null then 'no_terms'
            when deadlines.due_at is null then 'no_target'
            when deadlines.is_solved_by_customer then 'solved_by_customer'
            when tickets.is_merged then 'merged'
        end as not_measured_reason,
        coalesce(deadlines.counted_reply_at, build.as_of) as measured_until
    from tickets
    cross join build
    left outer join deadlines
        on tickets.ticket_id = deadlines.ticket_id
    left outer join ticket_contracts
        on
            deadlines.ticket_id = ticket_contracts.ticket_id
            and deadlines.contract_id = ticket_contracts.contract_id
    left outer join latest_severities
        on tickets.ticket_id = latest_severities.ticket_id
    where
        date_trunc(
            'month',
            tickets.created_at
            at time zone coalesce(ticket_contracts.time_zone, 'UTC')
        ) = build.service_month
),

counted as (
    select
        of_month.ticket_id,
        last_days.business_seconds_before
        - first_days.business_seconds_before
        + case
            when last_days.is_business_day
                then {{ seconds_between(
                    'last_days.started_at', 'of_month.measured_until'
                ) }}
            else 0
        end
        - case
            when first_days.is_business_day
                then {{ seconds_between(
                    'first_days.started_at', 'of_month.created_at'
                ) }}
            else 0
        end as business_seconds
    from of_month
    inner join business_days as first_days
        on
            of_month.calendar_id = first_days.calendar_id
            and of_month.calendar_time_zone = first_days.time_zone
            and (
                of_month.created_at at time zone of_month.calendar_time_zone
            )::date = first_days.local_day
    inner join business_days as last_days
        on
            of_month.calendar_id = last_days.calendar_id
            and of_month.calendar_time_zone = last_days.time_zone
            and (
                of_month.measured_until
                at time zone of_month.calendar_time_zone
            )::date = last_days.local_day
),

final as (
    select
        of_month.ticket_id,
        of_month.account_id,
        of_month.contract_id,
        of_month.service_month,
        of_month.created_at,
        of_month.first_human_reply_at,
        of_month.first_ai_reply_at,
        of_month.is_guaranteed,
        of_month.terms_id,
        of_month.terms_version,
        of_month.not_measured_reason as reason,
        case
            when of_month.not_measured_reason is null
                then of_month.deadline_severity
            else of_month.latest_severity
        end as severity,
        case
            when of_month.not_measured_reason is null then of_month.due_at
        end as due_at,
        case
            when of_month.not_measured_reason is null
                then {{ seconds_between(
                    'of_month.created_at', 'of_month.measured_until'
                ) }}
        end as elapsed_seconds,
        case
            when of_month.not_measured_reason is null
                then counted.business_seconds
        end as business_seconds,
        case
            when of_month.not_measured_reason is not null
                then 'not_measured'
            when of_month.counted_reply_at <= of_month.due_at then 'met'
            when of_month.as_of > of_month.due_at then 'breached'
            else 'pending'
        end as outcome
    from of_month
    left outer join counted
        on of_month.ticket_id = counted.ticket_id
)

select * from final
