-- Grain: one interval between two changes in what a scope sees (a rung), one of
-- its pairs that is down or might be, and what that is to the whole.
-- Rules X5, X6, D4, D8. Rungs: docs/decisions/0010-ladders.md.
with

scope_versions as (
    select * from {{ ref('int_scope_versions') }}
),

scope_outages as (
    select * from {{ ref('int_scope_outages') }}
),

exclusions as (
    select * from {{ ref('int_scope_exclusions_effective') }}
),

-- An exclusion of a pair that is never down takes nothing off.
intervals as materialized (
    select
        scope_outages.scope_id,
        scope_outages.terms_version,
        scope_outages.service,
        scope_outages.region,
        scope_outages.is_down_low,
        scope_outages.source_ids,
        null as category,
        scope_outages.started_at,
        scope_outages.ended_at
    from scope_outages
    union all
    select
        exclusions.scope_id,
        exclusions.terms_version,
        exclusions.service,
        exclusions.region,
        null as is_down_low,
        array[exclusions.source_id] as source_ids,
        exclusions.category,
        exclusions.started_at,
        exclusions.ended_at
    from exclusions
    where
        exists (
            select scope_outages.scope_id
            from scope_outages
            where
                scope_outages.scope_id = exclusions.scope_id
                and scope_outages.terms_version = exclusions.terms_version
                and scope_outages.service = exclusions.service
                and scope_outages.region = exclusions.region
        )
),

changes as (
    select
        intervals.scope_id,
        intervals.terms_version,
        intervals.started_at as changed_at
    from intervals
    union
    select
        intervals.scope_id,
        intervals.terms_version,
        intervals.ended_at
    from intervals
),

rungs as materialized (
    select
        changes.*,
        row_number() over in_order as rung,
        lead(changes.changed_at) over in_order as next_changed_at
    from changes
    window
        in_order as (
            partition by changes.scope_id, changes.terms_version
            order by changes.changed_at
        )
),

covered as (
    select
        intervals.scope_id,
        intervals.terms_version,
        intervals.service,
        intervals.region,
        intervals.is_down_low,
        intervals.source_ids,
        intervals.category,
        generate_series(first_rungs.rung, last_rungs.rung - 1) as rung
    from intervals
    inner join rungs as first_rungs
        on
            intervals.scope_id = first_rungs.scope_id
            and intervals.terms_version = first_rungs.terms_version
            and intervals.started_at = first_rungs.changed_at
    inner join rungs as last_rungs
        on
            intervals.scope_id = last_rungs.scope_id
            and intervals.terms_version = last_rungs.terms_version
            and intervals.ended_at = last_rungs.changed_at
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

services as (
    select
        pairs.scope_id,
        pairs.terms_version,
        pairs.rung,
        pairs.service,
        bool_or(pairs.is_down_low and not pairs.is_excluded)
            as is_counted_low,
        bool_or(not pairs.is_excluded) as is_counted_high,
        bool_or(pairs.is_down_low) as is_down_low
    from pairs
    group by
        pairs.scope_id, pairs.terms_version, pairs.rung, pairs.service
),

-- How many services it takes: one of them (any), or every one (all).
rung_counts as (
    select
        services.scope_id,
        services.terms_version,
        services.rung,
        case
            when min(scope_versions.down_when) = 'any' then 1
            else max(cardinality(scope_versions.services))
        end as needed_count,
        count(*) filter (where services.is_counted_low) as counted_low_count,
        count(*) filter (where services.is_counted_high)
            as counted_high_count,
        count(*) filter (where services.is_down_low) as down_low_count,
        count(*) as down_high_count
    from services
    inner join scope_versions
        on
            services.scope_id = scope_versions.scope_id
            and services.terms_version = scope_versions.terms_version
    group by services.scope_id, services.terms_version, services.rung
),

-- Rule D8, in its order.
verdicts as (
    select
        rung_counts.scope_id,
        rung_counts.terms_version,
        rung_counts.rung,
        case
            when rung_counts.counted_low_count >= rung_counts.needed_count
                then 'counted'
            when rung_counts.counted_high_count >= rung_counts.needed_count
                then 'unknown'
            when rung_counts.down_low_count >= rung_counts.needed_count
                then 'excluded'
            when rung_counts.down_high_count >= rung_counts.needed_count
                then 'unknown'
        end as kind,
        rung_counts.counted_low_count < rung_counts.needed_count
        and rung_counts.counted_high_count < rung_counts.needed_count
        and rung_counts.down_low_count < rung_counts.needed_count
            as is_covered
    from rung_counts
),

final as (
    select
        verdicts.scope_id,
        verdicts.terms_version,
        rungs.changed_at as started_at,
        rungs.next_changed_at as ended_at,
        verdicts.kind,
        verdicts.kind = 'unknown' and verdicts.is_covered as is_covered,
        pairs.service,
        pairs.region,
        coalesce(pairs.categories, '{}') as categories,
        pairs.source_ids
    from verdicts
    inner join rungs
        on
            verdicts.scope_id = rungs.scope_id
            and verdicts.terms_version = rungs.terms_version
            and verdicts.rung = rungs.rung
    inner join pairs
        on
            verdicts.scope_id = pairs.scope_id
            and verdicts.terms_version = pairs.terms_version
            and verdicts.rung = pairs.rung
            and case
                when verdicts.kind = 'counted'
                    then pairs.is_down_low and not pairs.is_excluded
                when verdicts.kind = 'excluded' then pairs.is_down_low
                else verdicts.is_covered or not pairs.is_excluded
            end
    where verdicts.kind is not null
)

select * from final
