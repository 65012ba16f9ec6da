-- Grain: one row per scope and terms version that is in force somewhere in the
-- window: what the version judges by, and the services it is about.
-- Rules D1, D3, T3: each instant is judged by the version in force at it.
with

scopes as (
    select * from {{ ref('int_scopes') }}
),

terms_versions as (
    select * from {{ ref('stg_terms__versions') }}
),

build_window as (
    select * from {{ ref('int_window') }}
),

version_periods as (
    select
        terms_versions.*,
        tstzrange(
            terms_versions.effective_from, terms_versions.effective_until
        )
        * tstzrange(build_window.started_at, build_window.ended_at)
            as in_force
    from terms_versions
    cross join build_window
),

final as (
    select
        scopes.scope_id,
        scopes.region,
        scopes.terms_id,
        version_periods.terms_version,
        version_periods.in_force,
        version_periods.evidence,
        version_periods.degraded_counts,
        version_periods.partial_outage_counts,
        version_periods.minimum_outage_seconds,
        version_periods.down_when,
        -- Versions that take the same evidence for down share the work.
        concat_ws(
            '|',
            version_periods.evidence,
            version_periods.degraded_counts,
            version_periods.partial_outage_counts
        ) as judgement_id,
        array(
            select distinct core.service
            from unnest(version_periods.core_services) as core (service)
            where
                cardinality(scopes.services) = 0
                or core.service = any(scopes.services)
        ) as services
    from scopes
    inner join version_periods on scopes.terms_id = version_periods.terms_id
    where not isempty(version_periods.in_force)
)

select * from final
