-- Who asked for a build: the person that Airflow or `sla run` names, or `schedule`. Who prepared figures does not decide
-- on them; whose figures of a month stand is told by when dbt last began to replace them.
alter table audit.builds add column prepared_by text not null default 'unknown' check (btrim(prepared_by) <> '');
alter table audit.builds alter column prepared_by drop default;
alter table audit.builds add column models_started_at timestamptz;

-- A name as it is compared: `Ada`, `ADA` and ` ada ` are one person. Under the C locale `lower` knows ASCII alone, so
-- that it takes the best collation that this server has.
do $$
declare
    folding text;
begin
    select format('%I.%I', nspname, collname) into folding
    from pg_collation
    inner join pg_namespace on pg_collation.collnamespace = pg_namespace.oid
    where
        collname in ('pg_unicode_fast', 'und-x-icu')
        and collencoding in (-1, (select encoding from pg_database where datname = current_database()))
    order by collname
    limit 1;
    execute format(
        'create function audit.person(name text) returns text language sql immutable parallel safe '
        'set search_path = pg_catalog, pg_temp as $body$ '
        'select lower(btrim(regexp_replace(normalize(name, nfkc), ''\s+'', '' '', ''g'')) collate %s) $body$',
        coalesce(folding, 'pg_catalog."default"')
    );
end
$$;

-- goodwill: the line's idempotency key; it is approved, and the line appended, in one transaction.
alter table audit.decisions drop constraint decisions_kind_check;
alter table audit.decisions add constraint decisions_kind_check
check (kind in ('held_month', 'claim', 'decrease', 'quarantine_limit', 'goodwill'));
alter table audit.decisions add constraint decisions_goodwill_is_approved check (kind <> 'goodwill' or is_approved);
alter table audit.decisions add column prepared_by text not null default 'unknown' check (btrim(prepared_by) <> '');
alter table audit.decisions alter column prepared_by drop default;
alter table audit.decisions add column via text not null default 'cli' check (via in ('cli', 'airflow'));
alter table audit.decisions alter column via drop default;
alter table audit.decisions add constraint decisions_by_another
check (audit.person(decided_by) <> audit.person(prepared_by));

-- Who prepared what is decided on: who asked for the run whose figures of that month stand; of a feed over its limit,
-- for the run that counts it. `schedule`, where nobody has asked yet.
create function audit.preparer(given_kind text, given_subject text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(
        (
            select builds.prepared_by
            from audit.builds
            where
                case
                    when given_kind = 'quarantine_limit'
                        then builds.run_id in (select current_build.run_id from audit.current_build)
                    else
                        to_char(builds.service_month, 'YYYY-MM')
                        = substring(given_subject from '\|([0-9]{4}-[0-9]{2})(?:\|[a-z_]+)?$')
                end
            order by builds.models_started_at desc nulls last, builds.started_at desc
            limit 1
        ),
        'schedule'
    )
$$;

-- The one way to a row of audit.decisions. What stands already is returned, and nothing is written.
create function audit.record_decision(
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
        kind, subject, subject_digest, is_approved, decided_by, because, prepared_by, via
    )
    values (
        given_kind, given_subject, given_digest, given_approval, given_by, given_because,
        coalesce(given_preparer, audit.preparer(given_kind, given_subject)), given_via
    )
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

-- Whoever else may insert, the owner or a superuser, has to go that way too.
create function audit.refuse_other_ways() returns trigger language plpgsql as $$
declare
    way text;
begin
    get diagnostics way = pg_context;
    if way not like '%PL/pgSQL function audit.record_decision(%' then
        raise insufficient_privilege using
            message = format('INSERT on audit.decisions by %s is refused: audit.record_decision alone writes it', current_user),
            hint = 'Decide with `sla approve`, `sla reject`, or in Airflow''s page (decide_pending).';
    end if;
    return new;
end
$$;
create trigger decisions_one_way before insert on audit.decisions
for each row execute function audit.refuse_other_ways();
alter table audit.decisions enable always trigger decisions_one_way;

revoke insert on audit.decisions from sla_approver;
grant execute on function audit.record_decision, audit.preparer to sla_approver;
grant update (models_started_at) on audit.builds to sla_transformer;
grant execute on function audit.person to sla_biller;
