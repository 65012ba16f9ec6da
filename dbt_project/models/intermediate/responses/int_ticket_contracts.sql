-- Grain: one ticket near the build's month and contract of its account that
-- was active at its creation, not suspended, with the terms version of then
-- (rule R2); the terms are null where none was in force.
with

tickets as (
    select * from {{ ref('int_tickets') }}
),

contracts as (
    select * from {{ ref('stg_accounts__contracts') }}
),

versions as (
    select * from {{ ref('stg_terms__versions') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

-- All versions of an id have one zone (rule T4): it is known when none of them
-- is in force yet, too.
zones as (
    select distinct
        versions.terms_id,
        versions.time_zone
    from versions
),

final as (
    select
        tickets.ticket_id,
        contracts.contract_id,
        tickets.created_at,
        versions.terms_id,
        versions.terms_version,
        zones.time_zone,
        versions.counted_reply,
        versions.calendar_id,
        versions.calendar_time_zone,
        versions.response_targets,
        versions.is_guaranteed and contracts.has_active_agreement
            as is_guaranteed
    from tickets
    inner join build
        on {{ is_near_month('tickets.created_at', 'build.service_month') }}
    inner join contracts
        on
            tickets.account_id = contracts.account_id
            and tickets.created_at >= contracts.starts_at
            and (
                contracts.ends_at is null
                or tickets.created_at < contracts.ends_at
            )
            and not contracts.suspensions @> tickets.created_at
    left outer join zones on contracts.terms_id = zones.terms_id
    left outer join versions
        on
            contracts.terms_id = versions.terms_id
            and tickets.created_at >= versions.effective_from
            and (
                versions.effective_until is null
                or tickets.created_at < versions.effective_until
            )
)

select * from final
