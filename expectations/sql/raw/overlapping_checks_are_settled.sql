-- Rule M6: objects whose checks of one monitor and location overlap in time
-- carry the digest of the objects that they were reduced together with.
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
    inner join raw.source_objects
        on check_spans.object_id = source_objects.object_id
    where source_objects.is_in_force
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

final as (
    select
        islands.monitor_id as subject,
        concat(
            'location ',
            islands.location,
            ': ',
            count(*),
            ' objects overlap between ',
            to_char(min(islands.first_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            ' and ',
            to_char(max(islands.last_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            ', and were not reduced together'
        ) as detail
    from islands
    cross join audit.current_build
    group by islands.monitor_id, islands.location, islands.island
    having
        count(*) > 1
        and (
            count(islands.settled_with) < count(*)
            or min(islands.settled_with) <> max(islands.settled_with)
        )
)

select * from final
order by final.subject, final.detail
