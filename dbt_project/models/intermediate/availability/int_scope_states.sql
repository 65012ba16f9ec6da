-- Grain: one rung of a scope and one of its pairs that is down or might be, in
-- the state that makes the rung what it is. Rungs where nothing counts are up.
-- Rules X5, X6, D4, D8. Rungs: docs/decisions/0009-ladders.md.
with

scope_versions as (
    select * from {{ ref('int_scope_versions') }}
),

scope_intervals as (
    select * from {{ ref('int_scope_intervals') }}
),

rungs as (
    select * from {{ ref('int_scope_rungs') }}
),

covered as (
    select
        scope_intervals.scope_id,
        scope_intervals.terms_version,
        scope_intervals.service,
        scope_intervals.region,
        scope_intervals.is_down_low,
        scope_intervals.source_ids,
        scope_intervals.category,
        generate_series(first_rungs.rung, last_rungs.rung - 1) as rung
    from scope_intervals
    inner join rungs as first_rungs
        on
            scope_intervals.scope_id = first_rungs.scope_id
            and scope_intervals.terms_version = first_rungs.terms_version
            and scope_intervals.started_at = first_rungs.started_at
    inner join rungs as last_rungs
        on
            scope_intervals.scope_id = last_rungs.scope_id
            and scope_intervals.terms_version = last_rungs.terms_version
            and scope_intervals.ended_at = last_rungs.started_at
),

pairs as (
    select
        covered.scope_id,
        covered.terms_version,
        covered.rung,
        covered.service,
        covered.region,
        bool_or(covered.is_down_low) as is_down_low,
        bool_or(covered.category is not null) as is_excluded,
        array_agg(covered.category) filter (
            where covered.category is not null
        ) as categories,
        -- There is one outage of a pair at a time.
        min(covered.source_ids) filter (where covered.category is null)
        || array_agg(covered.source_ids[1]) filter (
            where covered.category is not null
        ) as source_ids
    from covered
    group by
        covered.scope_id,
        covered.terms_version,
        covered.rung,
        covered.service,
        covered.region
    having bool_or(covered.category is null)
),

-- A service is in a state if either of its pairs is; its first pair stands for
-- it when services are counted.
services as (
    select
        pairs.*,
        row_number() over (
            partition by
                pairs.scope_id, pairs.terms_version, pairs.rung, pairs.service
            order by pairs.region
        ) = 1 as is_first,
        bool_or(pairs.is_down_low and not pairs.is_excluded) over of_service
            as is_counted_low,
        bool_or(not pairs.is_excluded) over of_service as is_counted_high,
        bool_or(pairs.is_down_low) over of_service as is_service_down_low
    from pairs
    window
        of_service as (
            partition by
                pairs.scope_id, pairs.terms_version, pairs.rung, pairs.service
        )
),

-- How many services it takes: one of them (any), or every one (all).
counts as (
    select
        services.*,
        case
            when scope_versions.down_when = 'any' then 1
            else cardinality(scope_versions.services)
        end as needed_count,
        count(*) filter (
            where services.is_first and services.is_counted_low
        ) over of_rung as counted_low_count,
        count(*) filter (
            where services.is_first and services.is_counted_high
        ) over of_rung as counted_high_count,
        count(*) filter (
            where services.is_first and services.is_service_down_low
        ) over of_rung as down_low_count,
        count(*) filter (where services.is_first) over of_rung
            as down_high_count
    from services
    inner join scope_versions
        on
            services.scope_id = scope_versions.scope_id
            and services.terms_version = scope_versions.terms_version
    window
        of_rung as (
            partition by
                services.scope_id, services.terms_version, services.rung
        )
),

-- Rule D8, in its order.
verdicts as (
    select
        counts.*,
        case
            when counts.counted_low_count >= counts.needed_count
                then 'counted'
            when counts.counted_high_count >= counts.needed_count
                then 'unknown'
            when counts.down_low_count >= counts.needed_count
                then 'excluded'
            when counts.down_high_count >= counts.needed_count
                then 'unknown covered'
        end as verdict
    from counts
),

final as (
    select
        verdicts.scope_id,
        verdicts.terms_version,
        rungs.started_at,
        rungs.ended_at,
        verdicts.service,
        verdicts.region,
        verdicts.source_ids,
        split_part(verdicts.verdict, ' ', 1) as kind,
        verdicts.verdict = 'unknown covered' as is_covered,
        coalesce(verdicts.categories, '{}') as categories
    from verdicts
    inner join rungs
        on
            verdicts.scope_id = rungs.scope_id
            and verdicts.terms_version = rungs.terms_version
            and verdicts.rung = rungs.rung
    where
        case verdicts.verdict
            when 'counted'
                then verdicts.is_down_low and not verdicts.is_excluded
            when 'unknown'
                then not verdicts.is_excluded and not verdicts.is_counted_low
            when 'excluded'
                then verdicts.is_down_low and not verdicts.is_counted_high
            when 'unknown covered' then not verdicts.is_service_down_low
        end
)

select * from final
