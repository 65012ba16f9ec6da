-- Grain: one scope, terms version in force within the window, core service and
-- region that the scope sees (rule D3), with what that version excludes.
with

scopes as (
    select * from {{ ref('int_scopes') }}
),

scope_versions as (
    select * from {{ ref('int_scope_versions') }}
),

terms_versions as (
    select * from {{ ref('stg_terms__versions') }}
),

seen as (
    select distinct
        scope_versions.scope_id,
        scope_versions.terms_version,
        scope_versions.in_force,
        core.service,
        visible.region
    from scope_versions
    cross join lateral unnest(scope_versions.services) as core (service)
    cross join
        lateral (values (scope_versions.region), ('global')) as visible (region)
),

final as (
    select
        seen.scope_id,
        seen.terms_version,
        seen.service,
        seen.region,
        seen.in_force,
        scopes.terms_id,
        scopes.source_ids,
        terms_versions.exclusion_categories
    from seen
    inner join scopes on seen.scope_id = scopes.scope_id
    inner join terms_versions
        on
            scopes.terms_id = terms_versions.terms_id
            and seen.terms_version = terms_versions.terms_version
)

select * from final
