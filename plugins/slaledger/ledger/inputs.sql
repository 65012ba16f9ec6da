-- One document: every object in force that the current build may have read, so that the month can be reckoned
-- again from the bucket alone. Of the checks, the objects that span the month or its edges.
with

build as (
    select
        current_build.service_month,
        tstzrange(
            current_build.service_month::timestamp at time zone 'UTC' - interval '2 days',
            (current_build.service_month + interval '1 month') at time zone 'UTC' + interval '2 days'
        ) as reach
    from audit.current_build
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
                where
                    check_spans.object_id = source_objects.object_id
                    and tstzrange(check_spans.first_at, check_spans.last_at, '[]') && build.reach
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
