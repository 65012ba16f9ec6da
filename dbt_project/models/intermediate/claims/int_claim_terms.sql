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

-- Terms of which no version was in force then are judged by their first one.
first_versions as (
    select distinct on (versions.terms_id) versions.*
    from versions
    order by versions.terms_id, versions.effective_from
),

-- Rule T3, with the service month for the measured period, which nobody has.
standard_at_start as (
    select distinct on (versions.terms_id) versions.*
    from versions
    cross join build
    where
        versions.terms_id = 'klink-enterprise'
        and versions.effective_from
        <= raw.start_of_day(build.service_month, versions.time_zone)
    order by versions.terms_id asc, versions.effective_from desc
),

standard_at_end as (
    select distinct on (versions.terms_id) versions.*
    from versions
    cross join build
    where
        versions.terms_id = 'klink-enterprise'
        and versions.effective_from < raw.start_of_day(
            (build.service_month + interval '1 month')::date,
            versions.time_zone
        )
    order by versions.terms_id asc, versions.effective_from desc
),

fallback as (
    select
        first_versions.terms_id,
        case
            when standard_at_start.thresholds_from = 'period_end'
                then standard_at_end.terms_version
            else
                coalesce(
                    standard_at_start.terms_version,
                    first_versions.terms_version
                )
        end as terms_version
    from first_versions
    left outer join standard_at_start
        on first_versions.terms_id = standard_at_start.terms_id
    left outer join standard_at_end
        on first_versions.terms_id = standard_at_end.terms_id
    where first_versions.terms_id = 'klink-enterprise'
),

judged_by as (
    select
        contract_months.contract_id,
        contract_months.account_id,
        coalesce(first_versions.terms_id, fallback.terms_id) as terms_id,
        coalesce(
            contract_months.terms_version,
            first_versions.terms_version,
            fallback.terms_version
        ) as terms_version
    from contract_months
    cross join fallback
    left outer join first_versions
        on contract_months.terms_id = first_versions.terms_id
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
