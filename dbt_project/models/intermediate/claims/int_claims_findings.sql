-- Grain: one thing about a claim that is reported: a timeline that differs
-- from ours, which governs, and later messages that would change what was
-- given before (rule C3).
with

messages as (
    select * from {{ ref('stg_claims__messages') }}
),

claims as (
    select * from {{ ref('int_claims') }}
),

verdicts as (
    select * from {{ ref('int_claim_verdicts') }}
),

account_months as (
    select * from {{ ref('int_account_month_figures') }}
),

contract_scopes as (
    select * from {{ ref('int_contract_scopes') }}
),

segments as (
    select * from {{ ref('int_measured_segments') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

-- Rule D7: our figures are those that people decided on.
downtime as (
    select
        account_months.contract_id,
        account_months.measured,
        coalesce(
            range_agg(tstzrange(segments.started_at, segments.ended_at))
            filter (
                where segments.kind = 'counted'
                or (
                    segments.kind = 'unknown'
                    and not segments.is_covered
                    and account_months.is_unknown_decided_down
                )
            ),
            '{}'::tstzmultirange
        ) as counted
    from account_months
    inner join contract_scopes
        on account_months.contract_id = contract_scopes.contract_id
    left outer join segments
        on
            contract_scopes.scope_id = segments.scope_id
            and account_months.measured = segments.measured
    group by account_months.contract_id, account_months.measured
),

timelines as (
    select
        verdicts.claim_id,
        verdicts.contract_id,
        verdicts.object_id,
        downtime.counted,
        coalesce(
            range_agg(
                tstzrange(
                    (entry.span ->> 'starts_at')::timestamptz,
                    (entry.span ->> 'ends_at')::timestamptz
                )
            ),
            '{}'::tstzmultirange
        ) * downtime.measured as claimed
    from verdicts
    inner join downtime
        on verdicts.contract_id = downtime.contract_id
    cross join
        lateral jsonb_array_elements(verdicts.incident_timeline)
            as entry (span)
    where
        entry.span ->> 'ends_at' is null
        or (entry.span ->> 'starts_at')::timestamptz
        < (entry.span ->> 'ends_at')::timestamptz
    group by
        verdicts.claim_id,
        verdicts.contract_id,
        verdicts.object_id,
        downtime.counted,
        downtime.measured
),

final as (
    select
        'claim_timeline_differs' as code,
        timelines.claim_id as subject,
        timelines.object_id,
        'Contract ' || timelines.contract_id || ': the claim names '
        || trim_scale({{ seconds_in('timelines.claimed') }})
        || ' s of the measured period, '
        || trim_scale(
            {{ seconds_in('timelines.claimed - timelines.counted') }}
        )
        || ' s of it up by our figures, and leaves out '
        || trim_scale(
            {{ seconds_in('timelines.counted - timelines.claimed') }}
        )
        || ' s of downtime. Our figures govern.' as detail
    from timelines
    where timelines.claimed <> timelines.counted
    union all
    select
        'claim_message_changes_nothing' as code,
        messages.claim_id as subject,
        messages.object_id,
        'Line ' || messages.line_number || ': a later message gives another '
        || concat_ws(
            ', ',
            case
                when messages.account_id <> claims.account_id
                    then 'account_id'
            end,
            case
                when messages.company_key <> claims.company_key
                    then 'company_name'
            end,
            case
                when messages.service_month <> claims.service_month
                    then 'service_month'
            end,
            case
                when messages.incident_timeline <> claims.incident_timeline
                    then 'incident_timeline'
            end
        )
        || '; what was given first stands.' as detail
    from messages
    inner join build
        on messages.received_at <= build.as_of
    inner join claims
        on messages.claim_id = claims.claim_id
    where
        messages.account_id <> claims.account_id
        or messages.company_key <> claims.company_key
        or messages.service_month <> claims.service_month
        or messages.incident_timeline <> claims.incident_timeline
)

select * from final
