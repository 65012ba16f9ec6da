-- Grain: one claim of the build's service month, its messages merged as of the
-- build (rule C3): what was given first stands, what was missing is filled in.
-- Of messages received at one instant the one sent first comes first, then the
-- one whose content does: by what was given, field by field (decision 0011).
with

messages as (
    select * from {{ ref('stg_claims__messages') }}
),

accounts as (
    select * from {{ ref('stg_accounts__accounts') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

ordered as (
    select
        messages.*,
        row_number() over (
            partition by messages.claim_id
            order by
                messages.received_at,
                messages.sent_at,
                messages.service_month,
                {{ in_byte_order('messages.account_id') }},
                {{ in_byte_order('messages.company_name') }},
                (
                    select
                        array_agg(
                            array[
                                (entries.span ->> 'starts_at')::timestamptz,
                                (entries.span ->> 'ends_at')::timestamptz
                            ]
                            order by entries.ordinal
                        )
                    from
                        jsonb_array_elements(messages.incident_timeline)
                        with ordinality as entries (span, ordinal)
                ),
                {{ in_byte_order('messages.row_sha256') }}
        ) as ordinal
    from messages
    inner join build
        on messages.received_at <= build.as_of
),

merged as (
    select
        ordered.claim_id,
        min(ordered.received_at) as received_at,
        count(*) as message_count,
        max(ordered.sent_at) as last_sent_at,
        bool_and(ordered.sent_at is not null) as are_all_sent_at_known,
        (array_agg(ordered.service_month order by ordered.ordinal))[1]
            as service_month,
        (array_agg(ordered.account_id order by ordered.ordinal) filter (
            where ordered.account_id is not null
        ))[1] as account_id,
        min(ordered.received_at) filter (
            where ordered.account_id is not null
        ) as account_given_at,
        (array_agg(ordered.company_name order by ordered.ordinal) filter (
            where ordered.company_name is not null
        ))[1] as company_name,
        (array_agg(ordered.company_key order by ordered.ordinal) filter (
            where ordered.company_name is not null
        ))[1] as company_key,
        min(ordered.received_at) filter (
            where ordered.company_name is not null
        ) as company_given_at,
        (array_agg(ordered.incident_timeline order by ordered.ordinal) filter (
            where ordered.incident_timeline is not null
        ))[1] as incident_timeline,
        min(ordered.received_at) filter (
            where ordered.incident_timeline is not null
        ) as timeline_given_at,
        (array_agg(ordered.object_id order by ordered.ordinal))[1]
            as object_id
    from ordered
    group by ordered.claim_id
),

final as (
    select
        merged.*,
        accounts.account_id is not null as is_account_known,
        coalesce(accounts.company_key = merged.company_key, false)
            as is_company_right,
        {{ decision_digest([
            'merged.claim_id',
            'merged.service_month',
            'merged.account_id',
            'merged.company_name',
            'merged.incident_timeline',
            'extract(epoch from merged.received_at)',
            'extract(epoch from merged.account_given_at)',
            'extract(epoch from merged.company_given_at)',
            'extract(epoch from merged.timeline_given_at)',
            'extract(epoch from merged.last_sent_at)',
            'merged.are_all_sent_at_known',
        ]) }} as decision_digest
    from merged
    inner join build
        on merged.service_month = build.service_month
    left outer join accounts
        on merged.account_id = accounts.account_id
    where accounts.is_sandbox is not true
)

select * from final
