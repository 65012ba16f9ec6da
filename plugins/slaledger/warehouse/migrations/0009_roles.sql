-- Least privilege: a role a stage, and each may do what its code does (docs/decisions/0013-roles.md). Roles are the
-- cluster's, so that another database may have made them already; privileges are this database's.

-- The login that migrates makes the roles and may act as each; where it may not, the error says what a DBA runs.
do $$
declare
    roles constant text [] := array[
        'sla_owner', 'sla_loader', 'sla_transformer', 'sla_validator', 'sla_approver', 'sla_biller', 'sla_relay',
        'sla_auditor'
    ];
    -- From PostgreSQL 16 on, one may be a member and still not `set role`.
    acting constant text := case when current_setting('server_version_num')::int < 160000 then 'MEMBER' else 'SET' end;
    missing text [] := '{}';
    not_granted text [] := '{}';
    wanted text;
begin
    foreach wanted in array roles loop
        begin
            if to_regrole(wanted) is null then
                execute format('create role %I nologin', wanted);
            end if;
        exception
            -- The migration of another database was quicker.
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then missing := missing || wanted;
        end;
        begin
            if wanted = any (missing) then
                not_granted := not_granted || wanted;
            elsif not pg_has_role(session_user, wanted, acting) then
                execute format('grant %I to %I', wanted, session_user);
            end if;
        exception
            when insufficient_privilege then not_granted := not_granted || wanted;
        end;
    end loop;
    if not_granted <> '{}' then
        raise insufficient_privilege using message = format(
            'it may neither make nor take all roles of slaledger. As a superuser, once: %s%s',
            coalesce((select string_agg(format('create role %I nologin; ', name), '') from unnest(missing) as name), ''),
            format('grant %s to %I;', array_to_string(not_granted, ', '), session_user)
        );
    end if;
end
$$;

-- dbt's schemas are there before dbt, which then needs no right to make any.
create schema if not exists staging;
create schema if not exists intermediate;
create schema if not exists marts;
create schema if not exists reference;

-- Who owns what, with all that is in it already.
do $$
declare
    alteration text;
begin
    for alteration in
        with

        owners (schema_name, owner_name) as (
            values
            ('raw', 'sla_owner'), ('audit', 'sla_owner'), ('billing', 'sla_owner'),
            ('staging', 'sla_transformer'), ('intermediate', 'sla_transformer'), ('marts', 'sla_transformer'),
            ('reference', 'sla_transformer')
        ),

        owned (place, thing, owner_name) as (
            select 1, format('schema %I', schema_name), owner_name
            from owners
            union all
            select 2, format(case relkind when 'v' then 'view %s' else 'table %s' end, pg_class.oid::regclass), owner_name
            from owners
            inner join pg_class on pg_class.relnamespace = to_regnamespace(schema_name) and relkind in ('r', 'p', 'v')
            union all
            select 3, format('routine %s', pg_proc.oid::regprocedure), owner_name
            from owners
            inner join pg_proc on pg_proc.pronamespace = to_regnamespace(schema_name)
        )

        select format('alter %s owner to %I', owned.thing, owned.owner_name)
        from owned
        order by owned.place
    loop
        execute alteration;
    end loop;
end
$$;
-- The owner may make nothing in `public`, and thus own nothing there.
grant select, insert, update, delete on slaledger_migrations to sla_owner;

-- Nobody gets anything for being anybody. What the login that migrates does not own, its DBA takes care of.
do $$
begin
    if pg_has_role(session_user, (select datdba from pg_database where datname = current_database()), 'USAGE') then
        execute format('revoke all on database %I from public', current_database());
        execute format(
            'grant connect on database %I to sla_loader, sla_transformer, sla_validator, sla_approver, sla_biller, '
            'sla_relay, sla_auditor', current_database()
        );
        -- Of dbt's incremental models and unit tests.
        execute format('grant temporary on database %I to sla_transformer', current_database());
    end if;
    if pg_has_role(session_user, (select nspowner from pg_namespace where nspname = 'public'), 'USAGE') then
        revoke all on schema public from public;
        grant usage on schema public to sla_owner, sla_auditor; -- which migrations were run
    end if;
end
$$;
revoke execute on all functions in schema raw, audit, billing from public;
alter default privileges for role sla_owner revoke execute on functions from public;
alter default privileges for role sla_transformer revoke execute on functions from public;

grant usage on schema raw to sla_loader, sla_transformer, sla_validator, sla_approver, sla_biller, sla_auditor;
grant usage on schema audit to sla_loader, sla_transformer, sla_validator, sla_approver, sla_biller, sla_auditor;
grant usage on schema billing to sla_transformer, sla_approver, sla_biller, sla_relay, sla_auditor;
-- The owner's own functions look at what the marts owe.
grant usage on schema marts, reference to sla_owner, sla_validator, sla_approver, sla_biller, sla_auditor;
grant usage on schema staging, intermediate to sla_auditor;

-- Load: what landed, once; of what is derived from several objects together, or of all terms, also anew.
grant select, insert on all tables in schema raw to sla_loader;
grant update on raw.source_objects, raw.check_spans, raw.check_conflicts to sla_loader;
grant delete on
raw.quarantined_rows, raw.observations, raw.check_streaks, raw.check_spans, raw.check_conflicts,
raw.terms_versions, raw.terms_faults, raw.calendar_holidays
to sla_loader;
grant select, insert on audit.listed_objects to sla_loader;

-- Transform: reads what landed, what was decided and what was posted; writes its own schemas and which build it is.
grant select on all tables in schema raw to sla_transformer;
grant select on audit.decisions to sla_transformer;
grant select on billing.sla_statements, billing.credit_line_items, billing.evidence, billing.deliveries
to sla_transformer;
grant select, insert, update (models_built_at, posted_at) on audit.builds to sla_transformer;
grant select, insert, update on audit.current_build to sla_transformer;

-- Validate: reads what it judges, and keeps the verdict.
grant select on all tables in schema raw to sla_validator;
grant select on audit.builds, audit.current_build, audit.decisions to sla_validator;
grant select, insert on audit.validations to sla_validator;

-- Decide: reads what waits, and keeps the decision.
grant select on raw.source_objects, raw.terms_versions to sla_approver;
grant select on audit.builds, audit.current_build to sla_approver;
grant select on billing.sla_statements, billing.credit_line_items to sla_approver;
grant select, insert on audit.decisions to sla_approver;

-- Bill: reads what is owed and what it rests on, and appends to the books.
grant select on
raw.source_objects, raw.terms_versions, raw.calendar_holidays, raw.accounts, raw.contracts, raw.fees, raw.claims,
raw.components, raw.monitors, raw.incidents, raw.notices, raw.exclusions, raw.check_spans, raw.check_streaks,
raw.ticket_events, raw.zendesk_tickets, raw.zendesk_ticket_events
to sla_biller;
grant select on audit.current_build, audit.validations, audit.decisions to sla_biller;
grant select, update (posted_at) on audit.builds to sla_biller;
grant select, insert on billing.evidence, billing.sla_statements, billing.credit_line_items to sla_biller;

-- Relay: reads the lines, and keeps what was dropped.
grant select on billing.credit_line_items to sla_relay;
grant select, insert on billing.deliveries to sla_relay;

-- Audit: reads everything.
grant select on all tables in schema public, raw, audit, billing to sla_auditor;
grant execute on function billing.statements_as_known_on, billing.lines_as_known_on to sla_auditor;

grant execute on function raw.start_of_day
to sla_transformer, sla_validator, sla_biller, sla_auditor;

-- What dbt has made, and what it will make: it replaces its tables, and their privileges with them.
grant select on all tables in schema marts, reference
to sla_owner, sla_validator, sla_approver, sla_biller, sla_auditor;
grant select on all tables in schema staging, intermediate to sla_auditor;
alter default privileges for role sla_transformer in schema marts, reference
grant select on tables to sla_owner, sla_validator, sla_approver, sla_biller, sla_auditor;
alter default privileges for role sla_transformer in schema staging, intermediate
grant select on tables to sla_auditor;

-- Lets nobody write the marts, nor open another build, until the transaction ends. dbt writes each mart in a
-- transaction of its own: none may come between the digest and the lines. It is the marts' owner's, as a lock takes
-- the right to write.
create function marts.hold_still() returns void language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    mart text;
begin
    lock table audit.current_build in share mode;
    for mart in
        select oid::regclass::text
        from pg_class
        where relnamespace = 'marts'::regnamespace and relkind = 'r'
        order by relname
    loop
        execute format('lock table %s in share mode', mart);
    end loop;
end
$$;
alter function marts.hold_still owner to sla_transformer;
revoke execute on function marts.hold_still from public;
grant execute on function marts.hold_still to sla_biller;

-- What comes after belongs to the owner from its first moment.
set local role sla_owner;
