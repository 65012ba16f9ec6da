-- Who prepared a build stays who prepared it: its name is never overwritten, and clearing its run makes no new figures
-- under that name. What has landed since, or another build of the month, takes a run of one's own.
alter table audit.builds add column build_number bigint;
update audit.builds
set build_number = ordered.build_number
from (
    select run_id, row_number() over (order by started_at, run_id) as build_number
    from audit.builds
) as ordered
where builds.run_id = ordered.run_id;
alter table audit.builds
alter column build_number set not null,
alter column build_number add generated always as identity,
add constraint builds_in_order unique (build_number);
select setval(pg_get_serial_sequence('audit.builds', 'build_number'), greatest(max(build_number), 1), max(build_number) > 0)
from audit.builds;

-- What was in force when it was opened; null: before this was recorded.
alter table audit.builds add column inputs_sha256 text;
-- The account that Airflow says triggered it, where there was one: `sla run` logs in as one account for all.
alter table audit.builds add column triggered_by text check (btrim(triggered_by) <> '');

create function audit.require_as_opened(given_run_id text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    build audit.builds;
    later text;
begin
    select * into build from audit.builds where builds.run_id = given_run_id;
    select builds.run_id into later
    from audit.builds
    where builds.service_month = build.service_month and builds.build_number > build.build_number
    order by builds.build_number desc
    limit 1;
    if later is not null then
        raise object_not_in_prerequisite_state using
            message = format('%s was opened for %s after run %s', later, to_char(build.service_month, 'YYYY-MM'), given_run_id);
    end if;
    if build.inputs_sha256 is distinct from audit.inputs_sha256() then
        raise object_not_in_prerequisite_state using
            message = format('Other exports are in force than when run %s was opened', given_run_id);
    end if;
end
$$;

create function audit.keep_build() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        new.inputs_sha256 := audit.inputs_sha256();
        return new;
    end if;
    if
        (new.run_id, new.prepared_by, new.triggered_by, new.inputs_sha256, new.build_number)
        is distinct from (old.run_id, old.prepared_by, old.triggered_by, old.inputs_sha256, old.build_number)
    then
        raise 'Who prepared run %, and on what, is refused to be changed: it is on record for good', old.run_id;
    end if;
    if new.models_started_at is distinct from old.models_started_at then
        perform audit.require_as_opened(new.run_id);
    end if;
    return new;
end
$$;
create trigger builds_keep before insert or update on audit.builds
for each row execute function audit.keep_build();
create trigger builds_stay before delete or truncate on audit.builds
for each statement execute function audit.refuse_change();
alter table audit.builds enable always trigger builds_keep;
alter table audit.builds enable always trigger builds_stay;

create function audit.keep_current_build() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform audit.require_as_opened(new.run_id);
    return new;
end
$$;
create trigger current_build_as_opened before insert or update on audit.current_build
for each row execute function audit.keep_current_build();
alter table audit.current_build enable always trigger current_build_as_opened;

-- Who prepared what is decided on, and through which account: of the run whose figures of that month stand; of a feed
-- over its limit, of the run that counts it. `schedule`, where nobody has asked yet.
create function audit.preparers(given_kind text, given_subject text, out prepared_by text, out triggered_by text)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(found.prepared_by, 'schedule'), found.triggered_by
    from (values (true)) as one
    left join (
        select builds.prepared_by, builds.triggered_by
        from audit.builds
        where
            case
                when given_kind = 'quarantine_limit'
                    then builds.run_id in (select current_build.run_id from audit.current_build)
                else
                    to_char(builds.service_month, 'YYYY-MM')
                    = substring(given_subject from '\|([0-9]{4}-[0-9]{2})(?:\|[a-z_]+)?$')
            end
        order by builds.models_started_at is not null desc, builds.build_number desc
        limit 1
    ) as found on true
$$;

alter table audit.decisions add column triggered_by text;
alter table audit.decisions add constraint decisions_by_another_account
check (triggered_by is null or audit.person(decided_by) <> audit.person(triggered_by));

create or replace function audit.record_decision(
    given_kind text,
    given_subject text,
    given_digest text,
    given_approval boolean,
    given_by text,
    given_because text,
    given_via text,
    given_preparer text default null -- of goodwill alone: of all else the preparer is on record
) returns table (is_new boolean, is_approved boolean, decided_by text, because text, decided_at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    if (given_kind = 'goodwill') <> (given_preparer is not null) then
        raise exception 'goodwill names its preparer, and nothing else does: % of %', given_kind, given_subject;
    end if;
    return query
    insert into audit.decisions as held (
        kind, subject, subject_digest, is_approved, decided_by, because, prepared_by, triggered_by, via
    )
    select
        given_kind, given_subject, given_digest, given_approval, given_by, given_because,
        coalesce(given_preparer, preparers.prepared_by),
        case when given_preparer is null then preparers.triggered_by end,
        given_via
    from audit.preparers(given_kind, given_subject)
    on conflict on constraint decisions_once do nothing
    returning true, held.is_approved, held.decided_by, held.because, held.decided_at;
    if not found then
        return query
        select false, held.is_approved, held.decided_by, held.because, held.decided_at
        from audit.decisions as held
        where held.kind = given_kind and held.subject = given_subject and held.subject_digest = given_digest;
    end if;
end
$$;
drop function audit.preparer;
grant execute on function audit.preparers to sla_approver;
