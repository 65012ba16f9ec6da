-- Rule M6: checks of one monitor and location that overlap in time, in several
-- objects, were reduced with the digest of just these other objects.
with

spans as (
    select
        check_spans.*,
        max(check_spans.last_at) over (
            partition by check_spans.monitor_id, check_spans.location
            order by check_spans.first_at, check_spans.object_id
            rows between unbounded preceding and 1 preceding
        ) as reached_at
    from raw.check_spans
    where check_spans.is_known
),

islands as (
    select
        spans.*,
        count(*) filter (
            where spans.reached_at is null or spans.reached_at < spans.first_at
        ) over (
            partition by spans.monitor_id, spans.location
            order by spans.first_at, spans.object_id
        ) as island
    from spans
),

population as (
    select
        islands.object_id,
        islands.monitor_id,
        islands.location,
        islands.settled_with,
        string_agg(
            nearby.object_id::text, ',' order by nearby.object_id::text
        ) as object_ids
    from islands
    left outer join islands as nearby
        on
            islands.monitor_id = nearby.monitor_id
            and islands.location = nearby.location
            and islands.island = nearby.island
            and islands.object_id <> nearby.object_id
            and islands.first_at <= nearby.last_at
            and islands.last_at >= nearby.first_at
    group by
        islands.object_id,
        islands.monitor_id,
        islands.location,
        islands.settled_with
),

final as (
    select
        population.monitor_id as subject,
        concat(
            'location ',
            population.location,
            ': the checks of object ',
            population.object_id,
            ' were not reduced with those that they overlap'
        ) as detail
    from population
    where
        population.settled_with is distinct from encode(
            sha256(convert_to(population.object_ids, 'UTF8')), 'hex'
        )
)

select * from final
order by subject, detail
