-- One document: every object in force that the current build may have read, so that the month can be reckoned
-- again from the bucket alone. Of the checks, the objects that span the month or its edges.
with

minimum_outages as (
    select make_interval(secs => coalesce(max(terms_versions.minimum_outage_seconds), 0)) as longest
    from raw.terms_versions
),

-- Two days are more than any zone is away from UTC.
build as (
    select
        current_build.service_month,
        tstzrange(
            current_build.service_month::timestamp at time zone 'UTC' - interval '2 days' - minimum_outages.longest,
            (current_build.service_month + interval '1 month') at time zone 'UTC'
            + interval '2 days'
            + minimum_outages.longest
        ) as reach
    from audit.current_build
    cross join minimum_outages
),

-- A check speaks for `stale_after` (rule M2), and `confirm` of them make an outage (rule M3).
monitor_reaches as (
    select
        monitors.monitor_id,
        make_interval(
            secs => max(
                coalesce(monitors.confirm, 1) * coalesce(monitors.stale_after_seconds, 2 * monitors.interval_seconds)
            )
        ) as reach
    from raw.monitors
    group by monitors.monitor_id
),

objects as (
    select
        source_objects.feed,
        source_objects.bucket,
        source_objects.key,
        source_objects.version_id,
        source_objects.sha256,
        source_objects.exported_at
    from raw.source_objects
    cross join build
    where
        source_objects.is_in_force
        and (
            source_objects.feed <> 'monitoring/checks'
            or exists (
                select
                from raw.check_spans
                left join monitor_reaches on check_spans.monitor_id = monitor_reaches.monitor_id
                where
                    check_spans.object_id = source_objects.object_id
                    and tstzrange(
                        check_spans.first_at - coalesce(monitor_reaches.reach, '0'),
                        check_spans.last_at + coalesce(monitor_reaches.reach, '0'),
                        '[]'
                    ) && build.reach
            )
        )
),

final as (
    select
        jsonb_build_object(
            'document', 'slaledger inputs 1',
            'service_month', build.service_month,
            'objects', coalesce(
                (
                    select
                        jsonb_agg(
                            jsonb_build_object(
                                'feed', objects.feed,
                                'bucket', objects.bucket,
                                'key', objects.key,
                                'version_id', objects.version_id,
                                'sha256', objects.sha256,
                                'exported_at', objects.exported_at
                            )
                            order by objects.bucket collate "C", objects.key collate "C"
                        )
                    from objects
                ),
                '[]'::jsonb
            )
        )::text as document
    from build
)

select * from final
