-- Grain: one row per contract whose active time, suspended or not, meets the
-- build's service month before the as-of time (rules P1, P2, P5).
with

current_build as (
    select * from {{ ref('stg_audit__current_build') }}
),

contracts as (
    select * from {{ ref('stg_accounts__contracts') }}
),

accounts as (
    select * from {{ ref('stg_accounts__accounts') }}
),

terms_versions as (
    select * from {{ ref('stg_terms__versions') }}
),

-- A terms id keeps its zone for life (rule T4), so any version tells it.
terms_zones as (
    select distinct
        terms_versions.terms_id,
        terms_versions.time_zone
    from terms_versions
),

contract_bounds as (
    select
        contracts.*,
        current_build.service_month,
        current_build.as_of,
        terms_zones.time_zone,
        raw.start_of_day(
            current_build.service_month,
            coalesce(terms_zones.time_zone, 'UTC')
        ) as month_starts_at,
        raw.start_of_day(
            (current_build.service_month + interval '1 month')::date,
            coalesce(terms_zones.time_zone, 'UTC')
        ) as month_ends_at
    from contracts
    cross join current_build
    left outer join terms_zones on contracts.terms_id = terms_zones.terms_id
    left outer join accounts on contracts.account_id = accounts.account_id
    where not coalesce(accounts.is_sandbox, false)
),

contract_active as (
    select
        contract_bounds.*,
        tstzrange(contract_bounds.starts_at, contract_bounds.ends_at)
        * tstzrange(
            contract_bounds.month_starts_at, contract_bounds.month_ends_at
        )
        * tstzrange(null, contract_bounds.as_of) as active
    from contract_bounds
),

contract_measured as (
    select
        contract_active.*,
        contract_active.active::tstzmultirange
        - contract_active.suspensions as measured
    from contract_active
    where not isempty(contract_active.active)
),

-- Suspended throughout, the start of the active time stands in.
contract_instants as (
    select
        contract_measured.*,
        coalesce(
            lower(contract_measured.measured), lower(contract_measured.active)
        ) as terms_at,
        coalesce(
            upper(contract_measured.measured), upper(contract_measured.active)
        ) as terms_before
    from contract_measured
),

-- Rule T3: the version at the start says whether it decides itself, or the
-- version in force at the last instant, just before the end.
starting_versions as (
    select
        contract_instants.contract_id,
        terms_versions.terms_version,
        terms_versions.thresholds_from
    from contract_instants
    inner join terms_versions
        on
            contract_instants.terms_id = terms_versions.terms_id
            and contract_instants.terms_at >= terms_versions.effective_from
            and contract_instants.terms_at
            < coalesce(terms_versions.effective_until, 'infinity')
),

ending_versions as (
    select
        contract_instants.contract_id,
        terms_versions.terms_version
    from contract_instants
    inner join terms_versions
        on
            contract_instants.terms_id = terms_versions.terms_id
            and contract_instants.terms_before > terms_versions.effective_from
            and contract_instants.terms_before
            <= coalesce(terms_versions.effective_until, 'infinity')
),

final as (
    select
        contract_instants.contract_id,
        contract_instants.account_id,
        contract_instants.plan,
        contract_instants.region,
        contract_instants.services,
        contract_instants.terms_id,
        contract_instants.has_active_agreement,
        contract_instants.time_zone,
        contract_instants.service_month,
        contract_instants.month_starts_at,
        contract_instants.month_ends_at,
        contract_instants.measured,
        contract_instants.month_ends_at
        <= contract_instants.as_of as is_month_over,
        lower(contract_instants.measured) as measured_from,
        upper(contract_instants.measured) as measured_until,
        {{ seconds_in('contract_instants.measured') }} as measured_seconds,
        case
            when starting_versions.thresholds_from = 'period_end'
                then ending_versions.terms_version
            else starting_versions.terms_version
        end as terms_version,
        case
            when contract_instants.time_zone is null then 'terms_unknown'
            when starting_versions.terms_version is null
                then 'terms_not_in_force'
        end as terms_blocked_reason
    from contract_instants
    left outer join starting_versions
        on contract_instants.contract_id = starting_versions.contract_id
    left outer join ending_versions
        on contract_instants.contract_id = ending_versions.contract_id
)

select * from final
