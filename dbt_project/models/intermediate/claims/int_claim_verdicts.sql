-- Grain: one claim and contract of its account in the build's month; where
-- there is none, one row without a contract (rules C1 to C7, in C7's order).
with

claims as (
    select * from {{ ref('int_claims') }}
),

claim_terms as (
    select * from {{ ref('int_claim_terms') }}
),

credit_bases as (
    select * from {{ ref('int_credit_bases') }}
),

decisions as (
    select * from {{ ref('stg_audit__decisions') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

standings as (
    select
        credit_bases.contract_id,
        credit_bases.uptime_percent,
        credit_bases.month_status,
        bool_or(credit_bases.standing = 'eligible') as is_any_eligible,
        max(credit_bases.reason)
        filter (where credit_bases.basis = 'availability')
            as credit_reason
    from credit_bases
    group by
        credit_bases.contract_id,
        credit_bases.uptime_percent,
        credit_bases.month_status
),

claimed_contracts as (
    select
        claims.claim_id,
        claim_terms.contract_id
    from claims
    inner join claim_terms
        on claims.account_id = claim_terms.account_id
),

subjects as (
    select
        claims.*,
        claimed_contracts.contract_id
    from claims
    left outer join claimed_contracts
        on claims.claim_id = claimed_contracts.claim_id
),

complete as (
    select
        subjects.*,
        claim_terms.terms_id,
        claim_terms.terms_version,
        claim_terms.deadline_at,
        claim_terms.is_month_over,
        standings.uptime_percent,
        standings.month_status,
        standings.credit_reason,
        inclusions.missing,
        standings.is_any_eligible,
        case
            when cardinality(inclusions.missing) = 0
                then greatest(subjects.received_at, inclusions.last_given_at)
        end as complete_at
    from subjects
    inner join claim_terms
        on
            -- Rule C2: of an unknown account, those that judge without one.
            coalesce(claim_terms.contract_id, '')
            = case
                when subjects.is_account_known
                    then coalesce(subjects.contract_id, '')
                else ''
            end
    left outer join standings
        on subjects.contract_id = standings.contract_id
    cross join lateral (
        select
            coalesce(
                array_agg(parts.part order by parts.ordinal)
                filter (where parts.given_at is null),
                '{}'
            ) as missing,
            max(parts.given_at) as last_given_at
        from
            unnest(
                array['company_name', 'account_id', 'incident_timeline'],
                array[
                    subjects.company_given_at,
                    subjects.account_given_at,
                    subjects.timeline_given_at
                ]
            ) with ordinality as parts (part, given_at, ordinal)
        where parts.part = any(claim_terms.claims_must_include)
    ) as inclusions
),

reviewed as (
    select
        complete.*,
        complete.claim_id
        || '|' || coalesce(complete.contract_id, '')
        || '|' || to_char(complete.service_month, 'YYYY-MM')
            as decision_subject,
        complete.complete_at >= complete.deadline_at as is_late,
        complete.are_all_sent_at_known
        and complete.last_sent_at < complete.deadline_at as is_sent_in_time
    from complete
),

judged as (
    select
        reviewed.*,
        decisions.is_approved,
        case
            when not reviewed.is_month_over then 'month_not_over'
            when
                reviewed.account_id is not null
                and not reviewed.is_account_known
                then 'account_unknown'
            when
                reviewed.account_id is not null
                and reviewed.company_name is not null
                and not reviewed.is_company_right
                then 'company_mismatch'
            when
                reviewed.account_id is not null
                and reviewed.contract_id is null
                then 'no_contract'
            when
                reviewed.contract_id is not null
                and reviewed.month_status not in ('held', 'blocked')
                and not reviewed.is_any_eligible
                then 'no_eligible_credit'
            when
                reviewed.complete_at is null
                and build.as_of < reviewed.deadline_at
                then 'incomplete'
            when reviewed.complete_at is null then 'incomplete_at_deadline'
            when reviewed.is_late and not reviewed.is_sent_in_time then 'late'
            when reviewed.is_late and decisions.is_approved is null
                then 'sent_in_time_received_late'
            when reviewed.is_late and not decisions.is_approved
                then 'rejected_in_review'
            when reviewed.month_status = 'held' then 'month_held'
            when reviewed.month_status = 'blocked' then 'month_blocked'
        end as finding
    from reviewed
    cross join build
    left outer join decisions
        on
            decisions.kind = 'claim'
            and reviewed.decision_subject = decisions.subject
            and reviewed.decision_digest = decisions.subject_digest
),

ranked as (
    select
        judged.*,
        first_value(judged.claim_id) over (
            partition by judged.contract_id, judged.finding
            order by
                judged.complete_at,
                judged.received_at,
                {{ in_byte_order('judged.claim_id') }}
        ) as first_claim_id
    from judged
),

final as (
    select
        ranked.claim_id,
        ranked.account_id,
        ranked.contract_id,
        ranked.service_month,
        ranked.received_at,
        ranked.complete_at,
        ranked.deadline_at,
        ranked.terms_id,
        ranked.terms_version,
        ranked.uptime_percent,
        ranked.incident_timeline,
        ranked.decision_subject,
        ranked.decision_digest,
        ranked.object_id,
        case
            when
                ranked.finding in (
                    'month_not_over', 'incomplete', 'month_held',
                    'month_blocked'
                )
                then 'pending'
            when ranked.finding = 'sent_in_time_received_late'
                then 'needs_review'
            when ranked.finding is not null then 'rejected'
            when ranked.claim_id <> ranked.first_claim_id then 'duplicate'
            else 'accepted'
        end as status,
        case
            when ranked.finding in ('incomplete', 'incomplete_at_deadline')
                then
                    ranked.finding || ': '
                    || array_to_string(ranked.missing, ', ') || ' missing'
            when ranked.finding = 'no_eligible_credit'
                then
                    ranked.finding || ': ' || ranked.credit_reason
                    || ', uptime '
                    || coalesce(
                        trim_scale(ranked.uptime_percent)::text || ' %',
                        'not measured'
                    )
            when ranked.finding is not null then ranked.finding
            when ranked.claim_id <> ranked.first_claim_id
                then 'duplicate_of: ' || ranked.first_claim_id
            when ranked.is_approved then 'approved_in_review'
        end as reason
    from ranked
)

select * from final
