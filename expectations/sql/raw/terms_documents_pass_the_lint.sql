-- Rule T4. What was rejected in a version of the object that has been
-- overwritten since is mended.
with

rejected as (
    select
        source_objects.key,
        quarantined_rows.reason
    from raw.source_objects
    inner join raw.quarantined_rows
        on source_objects.object_id = quarantined_rows.object_id
    where source_objects.feed = 'terms' and source_objects.is_in_force
    union all
    select
        source_objects.key,
        concat_ws(
            ': ', source_objects.reason_code, source_objects.reason
        ) as reason
    from raw.source_objects
    where
        source_objects.feed = 'terms'
        and source_objects.is_in_force
        and source_objects.status = 'quarantined'
    union all
    select
        source_objects.key,
        terms_faults.message as reason
    from raw.source_objects
    inner join raw.terms_faults
        on source_objects.object_id = terms_faults.object_id
    where source_objects.is_in_force
),

final as (
    select
        rejected.key as subject,
        rejected.reason as detail
    from rejected
)

select * from final
order by subject, detail
