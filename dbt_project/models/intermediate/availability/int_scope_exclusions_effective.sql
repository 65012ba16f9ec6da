-- Grain: one interval in which one exclusion takes off downtime of a pair for a
-- scope, per terms version in force.
-- Rule X7: register entries yield to an incident that no entry explains there
-- and then; scheduled maintenance yields to nothing within its window.
with

scope_versions as (
    select * from {{ ref('int_scope_versions') }}
),

scope_exclusions as (
    select * from {{ ref('int_scope_exclusions') }}
),

incident_declarations as (
    select * from {{ ref('int_incident_declarations') }}
),

exclusions as (
    select
        scope_exclusions.*,
        scope_versions.terms_version,
        scope_versions.degraded_counts,
        scope_versions.partial_outage_counts,
        tstzrange(scope_exclusions.started_at, scope_exclusions.ended_at)
        * scope_versions.in_force as period
    from scope_exclusions
    inner join scope_versions
        on scope_exclusions.scope_id = scope_versions.scope_id
    where
        tstzrange(scope_exclusions.started_at, scope_exclusions.ended_at)
        && scope_versions.in_force
),

register_pairs as (
    select
        exclusions.scope_id,
        exclusions.terms_version,
        exclusions.service,
        exclusions.region,
        exclusions.degraded_counts,
        exclusions.partial_outage_counts,
        range_agg(exclusions.period) as periods
    from exclusions
    where exclusions.source_kind = 'register'
    group by
        exclusions.scope_id,
        exclusions.terms_version,
        exclusions.service,
        exclusions.region,
        exclusions.degraded_counts,
        exclusions.partial_outage_counts
),

declared as (
    select
        register_pairs.scope_id,
        register_pairs.terms_version,
        register_pairs.service,
        register_pairs.region,
        incident_declarations.incident_id,
        range_agg(
            tstzrange(
                incident_declarations.started_at,
                incident_declarations.ended_at
            )
        ) as periods
    from register_pairs
    inner join incident_declarations
        on
            register_pairs.service = incident_declarations.service
            and register_pairs.region = incident_declarations.region
            and tstzrange(
                incident_declarations.started_at,
                incident_declarations.ended_at
            ) && register_pairs.periods
            and (
                incident_declarations.status = 'major_outage'
                or (
                    incident_declarations.status = 'partial_outage'
                    and register_pairs.partial_outage_counts
                )
                or (
                    incident_declarations.status = 'degraded_performance'
                    and register_pairs.degraded_counts
                )
            )
    group by
        register_pairs.scope_id,
        register_pairs.terms_version,
        register_pairs.service,
        register_pairs.region,
        incident_declarations.incident_id
),

explained as (
    select
        exclusions.scope_id,
        exclusions.terms_version,
        exclusions.service,
        exclusions.region,
        named.incident_id,
        range_agg(exclusions.period) as periods
    from exclusions
    cross join lateral unnest(exclusions.incident_ids) as named (incident_id)
    where exclusions.source_kind = 'register'
    group by
        exclusions.scope_id,
        exclusions.terms_version,
        exclusions.service,
        exclusions.region,
        named.incident_id
),

own_faults as (
    select
        declared.scope_id,
        declared.terms_version,
        declared.service,
        declared.region,
        range_agg(
            declared.periods - coalesce(explained.periods, '{}')
        ) as periods
    from declared
    left outer join explained
        on
            declared.scope_id = explained.scope_id
            and declared.terms_version = explained.terms_version
            and declared.service = explained.service
            and declared.region = explained.region
            and declared.incident_id = explained.incident_id
    group by
        declared.scope_id,
        declared.terms_version,
        declared.service,
        declared.region
),

effective as (
    select
        exclusions.scope_id,
        exclusions.terms_version,
        exclusions.service,
        exclusions.region,
        exclusions.category,
        exclusions.source_id,
        case
            when exclusions.source_kind = 'register'
                then
                    exclusions.period::tstzmultirange
                    - coalesce(own_faults.periods, '{}')
            else exclusions.period::tstzmultirange
        end as periods
    from exclusions
    left outer join own_faults
        on
            exclusions.scope_id = own_faults.scope_id
            and exclusions.terms_version = own_faults.terms_version
            and exclusions.service = own_faults.service
            and exclusions.region = own_faults.region
),

final as (
    select
        effective.scope_id,
        effective.terms_version,
        effective.service,
        effective.region,
        effective.category,
        effective.source_id,
        lower(spans.span) as started_at,
        upper(spans.span) as ended_at
    from effective
    cross join lateral unnest(effective.periods) as spans (span)
)

select * from final
