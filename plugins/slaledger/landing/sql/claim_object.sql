-- Whoever inserts the version first lands it; a second one waited for the lock, and finds it landed.
-- One that S3 did not give, or gave damaged, is claimed anew once it is given.
insert into raw.source_objects (
    object_id,
    bucket,
    key,
    version_id,
    etag,
    sha256,
    size_bytes,
    exported_at,
    landed_at,
    feed,
    format,
    status,
    is_in_force,
    is_deleted,
    is_complete,
    last_modified,
    run_id
)
values (
    %(object_id)s,
    %(bucket)s,
    %(key)s,
    %(version_id)s,
    %(etag)s,
    %(sha256)s,
    %(size_bytes)s,
    %(exported_at)s,
    clock_timestamp(),
    %(feed)s,
    %(format)s,
    'loaded',
    false,
    %(is_deleted)s,
    %(is_complete)s,
    %(last_modified)s,
    %(run_id)s
)
on conflict (object_id) do update
set
    sha256 = excluded.sha256,
    exported_at = excluded.exported_at,
    landed_at = excluded.landed_at,
    status = excluded.status,
    reason_code = null,
    reason = null,
    is_complete = excluded.is_complete,
    run_id = excluded.run_id
where
    source_objects.reason_code = any(%(of_the_store)s)
    and excluded.sha256 is not null
returning object_id
