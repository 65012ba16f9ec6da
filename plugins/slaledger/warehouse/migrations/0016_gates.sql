-- A record says against which limit of quarantined rows it was judged, and its id is that of all that it says: a posting
-- names it by that id, so that the chain and its anchors hold the record, too.

-- What the exports in force come to, under the session's limit, which the gate's query reads, too.
create function gate.quarantine() returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
    select jsonb_build_object(
        'limit_percent', nullif(current_setting('slaledger.quarantine_limit_percent', true), '')::numeric,
        'feeds', coalesce(jsonb_agg(to_jsonb(feeds) order by feeds.feed collate "C"), '[]')
    )
    from (
        select
            objects.feed,
            coalesce(sum(objects.rows_read), 0) as rows_read,
            coalesce(sum(objects.rows_quarantined), 0) as rows_quarantined
        from gate.objects
        group by objects.feed
    ) as feeds
$$;

-- What the raw gate's record lacks of it: no row if nothing. A closing needs each feed within the limit, or approved.
create function gate.quarantine_shortcomings(record audit.validations) returns setof text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select 'it does not say against which quarantine limit it was judged'
    where
        record.gate = 'raw'
        and (
            jsonb_typeof(record.quarantine -> 'limit_percent') is distinct from 'number'
            or jsonb_typeof(record.quarantine -> 'feeds') is distinct from 'array'
        )
    union all
    select format('%s of %s rows of %s are quarantined, and nobody approved it', feeds.rows_quarantined, feeds.rows_read, feeds.feed)
    from audit.builds
    cross join lateral jsonb_to_recordset(record.quarantine -> 'feeds') as feeds (
        feed text, rows_read numeric, rows_quarantined numeric
    )
    where
        record.gate = 'raw'
        and builds.run_id = record.run_id
        and builds.is_closing
        and feeds.rows_read >= 100
        and 100 * feeds.rows_quarantined > (record.quarantine ->> 'limit_percent')::numeric * feeds.rows_read
        and not exists (
            select
            from audit.decisions
            where
                decisions.kind = 'quarantine_limit'
                and decisions.is_approved
                and decisions.subject = feeds.feed
                and decisions.subject_digest = encode(
                    sha256(convert_to(concat_ws('|', feeds.feed, feeds.rows_read, feeds.rows_quarantined), 'UTF8')), 'hex'
                )
        )
$$;

-- The id of a record: the digest of its other columns, cut to a UUID of version 8, which is for such.
create function gate.validation_id(record audit.validations) returns uuid
language sql stable security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
    select overlay(overlay(left(hashed.digest, 32) placing '8' from 13) placing '8' from 17)::uuid
    from (
        select audit.digest(
            audit.encoded('slaledger validation'::text)
            || audit.encoded(jsonb_strip_nulls(to_jsonb(record) - 'validation_id'))
        ) as digest
    ) as hashed
$$;

create or replace function gate.objections(record audit.validations) returns setof text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select shortcomings
    from gate.shortcomings(record)
    union all
    select shortcomings
    from gate.quarantine_shortcomings(record) as shortcomings
    union all
    select case record.gate
        when 'raw' then 'dbt has not built the models since these exports were validated'
        else 'dbt built the models again since'
    end
    from audit.builds
    where
        builds.run_id = record.run_id
        and not coalesce(
            case record.gate
                when 'raw' then
                    exists (
                        select
                        from audit.validations as others
                        where
                            (others.run_id, others.gate) = (record.run_id, record.gate)
                            and others.candidate_sha256 = record.candidate_sha256
                            and others.is_success
                            and others.evaluated_at < builds.models_built_at
                    )
                else record.evaluated_at > builds.models_built_at
            end,
            false
        )
$$;

create or replace function gate.keep_validation() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    found text;
begin
    if current_user <> 'sla_validator' then
        raise insufficient_privilege using
            message = format('%s may not write into audit.validations: the gates do, as sla_validator', current_user),
            hint = 'Run the month with `sla run`: its gates leave the record.';
    end if;
    new.validated_by := session_user;
    new.evaluated_at := clock_timestamp();
    new.quarantine := case new.gate when 'raw' then gate.quarantine() end;
    if new.is_success then
        select string_agg(lacking.shortcomings, '; ') into found
        from (
            select gate.shortcomings(new) as shortcomings
            union all
            select gate.quarantine_shortcomings(new)
        ) as lacking;
        if found is not null then
            raise check_violation using
                message = format(
                    'A record of the %s gate of run %s cannot say success: %s', new.gate, new.run_id, found
                ),
                hint = 'gate.expectations and `expectations/` list what a gate must evaluate: run the month again with'
                ' the code of the migrations that the database is at.';
        end if;
    end if;
    new.validation_id := gate.validation_id(new);
    return new;
end
$$;

alter function gate.quarantine owner to sla_owner;
alter function gate.quarantine_shortcomings owner to sla_owner;
alter function gate.validation_id owner to sla_owner;
revoke execute on function gate.quarantine, gate.quarantine_shortcomings, gate.validation_id from public;
-- The rest the database says. A record with a number of one's own, the last there is, would stay the last of its run.
revoke insert on audit.validations from sla_validator;
grant insert (validation_id, run_id, gate, service_month, as_of, candidate_sha256, is_success, expectations)
on audit.validations to sla_validator;
grant execute on function gate.quarantine, gate.validation_id to sla_validator;
grant execute on function gate.quarantine_shortcomings to sla_validator, sla_biller, sla_auditor;

-- One at a time, by name, until the transaction ends: a build, a listing, a feed's rows. Any login may take an advisory
-- lock: whoever waits does not wait for ever, and is told for whom.
create function audit.hold(of_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '5min' as $$
declare
    key constant bigint := hashtextextended(of_name, 0);
    holder record;
begin
    perform pg_advisory_xact_lock(key);
exception
    when lock_not_available then
        select locks.pid, sessions.application_name into holder
        from pg_locks as locks
        left join pg_stat_activity as sessions on locks.pid = sessions.pid
        where
            locks.locktype = 'advisory'
            and locks.granted
            and locks.database = (select oid from pg_database where datname = current_database())
            and (locks.classid::bigint, locks.objid::bigint, locks.objsubid)
            = ((key >> 32) & 4294967295, key & 4294967295, 1)
        limit 1;
        raise lock_not_available using
            message = format(
                'Session %s (%s) holds %s', coalesce(holder.pid::text, 'unknown'),
                coalesce(nullif(holder.application_name, ''), 'it does not say what for'), of_name
            ),
            hint = 'Wait until it is done'
            || coalesce(format(', or end it: select pg_terminate_backend(%s)', holder.pid), '');
end
$$;
alter function audit.hold owner to sla_owner;
revoke execute on function audit.hold from public;
grant execute on function audit.hold to sla_loader, sla_transformer;

-- Large objects are nobody's here: whoever reads alone would write by them. They are the server's functions, which a
-- superuser alone takes from everybody: another login's DBA does (docs/runbooks/roles.md).
set local role none;
do $$
begin
    if (select rolsuper from pg_roles where rolname = session_user) then
        revoke execute on function
        lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea), lo_put(oid, bigint, bytea), lowrite(integer, bytea),
        lo_truncate(integer, integer), lo_truncate64(integer, bigint), lo_unlink(oid)
        from public;
    end if;
end
$$;
set local role sla_owner;
