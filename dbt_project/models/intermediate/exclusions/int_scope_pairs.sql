-- Grain: one scope, terms version in force within the window, core service and
-- region. Rules D1, D3 and T3: what the scope sees, and by which version.
with

scopes as (
    select * from {{ ref('int_scopes') }}
),

measured as (
    select * from {{ ref('int_window') }}
),

terms_versions as (
    select * from {{ ref('stg_terms__versions') }}
),

versions as (
    select
        terms_versions.terms_id,
        terms_versions.terms_version,
        terms_versions.exclusion_categories,
        terms_versions.core_services,
        tstzrange(
            terms_versions.effective_from, terms_versions.effective_until
        )
        * tstzrange(measured.started_at, measured.ended_at) as in_force
    from terms_versions
    cross join measured
),

seen as (
    select distinct
        scopes.scope_id,
        versions.terms_version,
        core.service,
        visible.region
    from scopes
    inner join versions on scopes.terms_id = versions.terms_id
    cross join lateral unnest(versions.core_services) as core (service)
    cross join lateral (values (scopes.region), ('global')) as visible (region)
    where
        not isempty(versions.in_force)
        and (
            cardinality(scopes.services) = 0
            or core.service = any(scopes.services)
        )
),

final as (
    select
        seen.scope_id,
        seen.terms_version,
        seen.service,
        seen.region,
        scopes.terms_id,
        scopes.source_ids,
        versions.in_force,
        versions.exclusion_categories
    from seen
    inner join scopes on seen.scope_id = scopes.scope_id
    inner join versions
        on
            scopes.terms_id = versions.terms_id
            and seen.terms_version = versions.terms_version
)

select * from final
