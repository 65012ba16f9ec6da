-- Grain: one interval of a pair's downtime as an account of a region sees it
-- under a version of its terms, while that is in force.
-- Rules D3, D5, T3: a service is down in either region, at each instant as the
-- version of then judges; a run of its downtime that is shorter than the
-- minimum is up, whatever month and exclusions make of it.
with

views as (
    select distinct
        scope_versions.terms_id,
        scope_versions.terms_version,
        scope_versions.region as seen_from,
        scope_versions.judgement_id,
        scope_versions.minimum_outage_seconds,
        scope_versions.in_force
    from {{ ref('int_scope_versions') }} as scope_versions
),

pair_outages as (
    select * from {{ ref('int_pair_outages') }}
),

-- An outage may have begun before the terms: the first version judges that.
judged_by as (
    select
        views.*,
        case
            when
                lag(views.terms_version) over (
                    partition by views.terms_id, views.seen_from
                    order by lower(views.in_force)
                ) is null
                then tstzrange(null, upper(views.in_force))
            else views.in_force
        end as judged,
        max(views.minimum_outage_seconds) over (
            partition by views.terms_id, views.seen_from
        ) as longest_minimum_seconds
    from views
),

seen as (
    select
        judged_by.*,
        pair_outages.service,
        pair_outages.region,
        pair_outages.is_down_low,
        pair_outages.source_ids,
        tstzrange(pair_outages.started_at, pair_outages.ended_at)
        * judged_by.judged as period
    from judged_by
    inner join pair_outages
        on
            judged_by.judgement_id = pair_outages.judgement_id
            and pair_outages.region in (judged_by.seen_from, 'global')
            and tstzrange(pair_outages.started_at, pair_outages.ended_at)
            && judged_by.judged
),

runs as materialized (
    select
        seen.terms_id,
        seen.seen_from,
        seen.service,
        range_agg(seen.period) filter (where seen.is_down_low) as low_runs,
        range_agg(seen.period) as high_runs
    from seen
    where seen.longest_minimum_seconds > 0
    group by seen.terms_id, seen.seen_from, seen.service
),

long_runs as materialized (
    select
        judged_by.terms_id,
        judged_by.terms_version,
        judged_by.seen_from,
        runs.service,
        (
            select range_agg(low.run)
            from unnest(runs.low_runs) as low (run)
            where
                {{ seconds_between('lower(low.run)', 'upper(low.run)') }}
                >= judged_by.minimum_outage_seconds
        ) as low_runs,
        (
            select range_agg(high.run)
            from unnest(runs.high_runs) as high (run)
            where
                {{ seconds_between('lower(high.run)', 'upper(high.run)') }}
                >= judged_by.minimum_outage_seconds
        ) as high_runs
    from judged_by
    inner join runs
        on
            judged_by.terms_id = runs.terms_id
            and judged_by.seen_from = runs.seen_from
),

judged as (
    select
        seen.*,
        seen.period * seen.in_force as period_in_force,
        seen.is_down_low
        and (
            seen.minimum_outage_seconds = 0
            or coalesce(seen.period <@ long_runs.low_runs, false)
        ) as is_long_low,
        seen.minimum_outage_seconds = 0
        or coalesce(seen.period <@ long_runs.high_runs, false)
            as is_long_high
    from seen
    left outer join long_runs
        on
            seen.terms_id = long_runs.terms_id
            and seen.terms_version = long_runs.terms_version
            and seen.seen_from = long_runs.seen_from
            and seen.service = long_runs.service
),

final as (
    select
        judged.terms_id,
        judged.terms_version,
        judged.seen_from,
        judged.service,
        judged.region,
        judged.is_long_low as is_down_low,
        judged.source_ids,
        lower(judged.period_in_force) as started_at,
        upper(judged.period_in_force) as ended_at
    from judged
    where judged.is_long_high and not isempty(judged.period_in_force)
)

select * from final
