-- Grain: one interval of a pair's downtime as an account of a region sees it,
-- per way of judging and minimum length of an outage.
-- Rules D3, D5: a service is down in either region; a run of its downtime that
-- is shorter than the minimum is up, whatever month and exclusions make of it.
with

views as (
    select distinct
        scope_versions.judgement_id,
        scope_versions.minimum_outage_seconds,
        scope_versions.region as seen_from
    from {{ ref('int_scope_versions') }} as scope_versions
),

pair_outages as (
    select * from {{ ref('int_pair_outages') }}
),

seen as (
    select
        pair_outages.*,
        views.minimum_outage_seconds,
        views.seen_from,
        tstzrange(pair_outages.started_at, pair_outages.ended_at) as period
    from views
    inner join pair_outages
        on
            views.judgement_id = pair_outages.judgement_id
            and pair_outages.region in (views.seen_from, 'global')
),

runs as (
    select
        seen.judgement_id,
        seen.minimum_outage_seconds,
        seen.seen_from,
        seen.service,
        range_agg(seen.period) filter (where seen.is_down_low) as low_runs,
        range_agg(seen.period) as high_runs
    from seen
    where seen.minimum_outage_seconds > 0
    group by
        seen.judgement_id,
        seen.minimum_outage_seconds,
        seen.seen_from,
        seen.service
),

long_runs as materialized (
    select
        runs.judgement_id,
        runs.minimum_outage_seconds,
        runs.seen_from,
        runs.service,
        (
            select range_agg(low.run)
            from unnest(runs.low_runs) as low (run)
            where
                {{ seconds_between('lower(low.run)', 'upper(low.run)') }}
                >= runs.minimum_outage_seconds
        ) as low_runs,
        (
            select range_agg(high.run)
            from unnest(runs.high_runs) as high (run)
            where
                {{ seconds_between('lower(high.run)', 'upper(high.run)') }}
                >= runs.minimum_outage_seconds
        ) as high_runs
    from runs
),

judged as (
    select
        seen.*,
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
            seen.judgement_id = long_runs.judgement_id
            and seen.minimum_outage_seconds = long_runs.minimum_outage_seconds
            and seen.seen_from = long_runs.seen_from
            and seen.service = long_runs.service
),

final as (
    select
        judged.judgement_id,
        judged.minimum_outage_seconds,
        judged.seen_from,
        judged.service,
        judged.region,
        judged.started_at,
        judged.ended_at,
        judged.is_long_low as is_down_low,
        judged.source_ids
    from judged
    where judged.is_long_high
)

select * from final
