-- Grain: one contract of the build's month, and one row without a contract for
-- the claims that none can be found for (rule C2): what claims are judged by.
with

contract_months as (
    select * from {{ ref('int_contract_months') }}
),

versions as (
    select * from {{ ref('stg_terms__versions') }}
),

local_days as (
    select * from {{ ref('int_local_days') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

-- Where the month lies before its first version, that one judges.
fallback as (
    select versions.*
    from versions
    cross join build
    where versions.terms_id = 'klink-enterprise'
    order by
        versions.effective_from
        > build.service_month::timestamp at time zone 'UTC',
        abs(extract(epoch from (
            versions.effective_from
            - build.service_month::timestamp at time zone 'UTC'
        )))
    limit 1
),

judged_by as (
    select
        contract_months.contract_id,
        contract_months.account_id,
        coalesce(versions.terms_id, fallback.terms_id) as terms_id,
        coalesce(versions.terms_version, fallback.terms_version)
            as terms_version
    from contract_months
    cross join fallback
    left outer join versions
        on
            contract_months.terms_id = versions.terms_id
            and contract_months.terms_version = versions.terms_version
    union all
    select
        null as contract_id,
        null as account_id,
        fallback.terms_id,
        fallback.terms_version
    from fallback
),

final as (
    select
        judged_by.contract_id,
        judged_by.account_id,
        judged_by.terms_id,
        judged_by.terms_version,
        versions.claims_required as is_claim_required,
        versions.claims_must_include,
        month_ends.started_at as month_ended_at,
        deadlines.started_at as deadline_at,
        build.as_of >= month_ends.started_at as is_month_over
    from judged_by
    cross join build
    inner join versions
        on
            judged_by.terms_id = versions.terms_id
            and judged_by.terms_version = versions.terms_version
    inner join local_days as month_ends
        on
            versions.time_zone = month_ends.time_zone
            and (build.service_month + interval '1 month')::date
            = month_ends.local_day
    inner join local_days as deadlines
        on
            versions.time_zone = deadlines.time_zone
            and month_ends.local_day + versions.claims_within_days
            = deadlines.local_day
)

select * from final
