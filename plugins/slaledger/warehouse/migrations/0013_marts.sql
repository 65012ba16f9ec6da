-- The marts are the owner's plain tables: dbt fills them, and makes none (docs/decisions/0017-marts.md). Whatever reads
-- them runs nothing of dbt's.

-- Goodwill is approved and appended in one transaction: a role of its own may do both, and no other.
set local role none;
do $$
declare
    acting constant text := case when current_setting('server_version_num')::int < 160000 then 'MEMBER' else 'SET' end;
begin
    begin
        if to_regrole('sla_goodwill') is null then
            create role sla_goodwill nologin;
        end if;
    exception
        -- The migration of another database was quicker.
        when duplicate_object or unique_violation then null;
    end;
    if not pg_has_role(session_user, 'sla_goodwill', acting) then
        execute format('grant sla_goodwill to %I', session_user);
    end if;
    if pg_has_role(session_user, (select datdba from pg_database where datname = current_database()), 'USAGE') then
        execute format('grant connect on database %I to sla_goodwill', current_database());
    end if;
exception
    when insufficient_privilege then
        raise insufficient_privilege using message = format(
            'it may neither make nor take all roles of slaledger. As a superuser, once: %sgrant sla_goodwill to %I;',
            case when to_regrole('sla_goodwill') is null then 'create role sla_goodwill nologin; ' else '' end,
            session_user
        );
end
$$;

-- What dbt made is set aside, and what else is in its schemas goes with them.
set local role sla_transformer;
do $$
declare
    made regclass;
    is_table boolean;
begin
    for made, is_table in
        select pg_class.oid, relkind = 'r'
        from pg_class
        where
            relnamespace = 'marts'::regnamespace
            and relname in (
                'fct_account_months', 'fct_account_downtime', 'fct_response_times', 'fct_claims', 'fct_credits',
                'fct_findings'
            )
    loop
        if not is_table then
            raise exception '% is not a table, and its rows cannot be kept: drop it, migrate, run its months again', made;
        end if;
        execute format('alter table %s set schema staging', made);
    end loop;
end
$$;
drop schema marts cascade;
drop schema reference cascade;

set local role none;
create schema marts authorization sla_owner;
create schema reference authorization sla_owner;
set local role sla_owner;

-- As dbt_project/models/marts/ says: tests/ledger/test_columns.py.
create table marts.fct_account_months (
    account_id text not null,
    contract_id text not null,
    service_month date not null,
    terms_id text not null,
    terms_version text,
    guaranteed boolean,
    measured_from timestamptz,
    measured_until timestamptz,
    measured_seconds numeric not null,
    counted_seconds numeric,
    excluded_seconds numeric,
    unknown_seconds numeric,
    uptime_percent numeric,
    uptime_percent_low numeric,
    uptime_percent_alternative numeric,
    outcome_sensitive boolean,
    commitment_percent numeric,
    met boolean,
    status text not null,
    reason text,
    held_digest text,
    constraint account_months_one_per_contract_and_month primary key (contract_id, service_month)
);
create table marts.fct_account_downtime (
    contract_id text not null,
    service_month date not null,
    started_at timestamptz not null,
    ended_at timestamptz not null,
    kind text not null,
    services text [] not null,
    categories text [] not null,
    source_ids text [] not null,
    constraint account_downtime_one_per_start primary key (contract_id, service_month, started_at)
);
create table marts.fct_response_times (
    ticket_id text not null,
    account_id text,
    contract_id text,
    service_month date not null,
    severity text,
    created_at timestamptz not null,
    first_human_reply_at timestamptz,
    first_ai_reply_at timestamptz,
    due_at timestamptz,
    elapsed_seconds numeric,
    business_seconds numeric,
    outcome text not null,
    reason text,
    guaranteed boolean not null,
    terms_id text,
    terms_version text,
    constraint response_times_one_per_ticket primary key (ticket_id, service_month)
);
create table marts.fct_claims (
    claim_id text not null,
    account_id text,
    contract_id text,
    service_month date not null,
    received_at timestamptz not null,
    complete_at timestamptz,
    deadline_at timestamptz not null,
    status text not null,
    reason text,
    terms_id text not null,
    terms_version text not null,
    uptime_percent numeric,
    decision_subject text not null,
    decision_digest text not null,
    constraint claims_one_verdict_per_contract unique nulls not distinct (claim_id, contract_id, service_month)
);
create table marts.fct_credits (
    account_id text not null,
    contract_id text not null,
    service_month date not null,
    basis text not null,
    credit_percent numeric,
    monthly_fee numeric,
    currency text,
    amount numeric,
    status text not null,
    reason text not null,
    claim_id text,
    constraint credits_one_per_contract_month_and_basis primary key (contract_id, service_month, basis),
    constraint credits_amount_is_never_negative check (amount >= 0 and amount < 1e15),
    constraint credits_owed_has_its_figures check (
        status <> 'owed'
        or (
            credit_percent > 0 and amount is not null and monthly_fee is not null and currency is not null
        )
    )
);
create table marts.fct_findings (
    code text not null,
    service_month date not null,
    subject text not null,
    object_id uuid,
    detail text not null
);
-- The active currencies and fund codes of ISO 4217 that have a minor unit (as amended up to number 180). Precious metals,
-- test codes and others without one are left out: a fee in one of them is in an unknown currency (rule U4). It decides
-- what is rounded to what: nobody's to write, and changed by migration.
create table reference.currencies (
    currency text not null,
    minor_units integer not null,
    constraint currencies_one_per_code primary key (currency)
);
insert into reference.currencies (currency, minor_units)
values
('AED', 2), ('AFN', 2), ('ALL', 2), ('AMD', 2), ('AOA', 2), ('ARS', 2), ('AUD', 2), ('AWG', 2),
('AZN', 2), ('BAM', 2), ('BBD', 2), ('BDT', 2), ('BHD', 3), ('BIF', 0), ('BMD', 2), ('BND', 2),
('BOB', 2), ('BOV', 2), ('BRL', 2), ('BSD', 2), ('BTN', 2), ('BWP', 2), ('BYN', 2), ('BZD', 2),
('CAD', 2), ('CDF', 2), ('CHE', 2), ('CHF', 2), ('CHW', 2), ('CLF', 4), ('CLP', 0), ('CNY', 2),
('COP', 2), ('COU', 2), ('CRC', 2), ('CUP', 2), ('CVE', 2), ('CZK', 2), ('DJF', 0), ('DKK', 2),
('DOP', 2), ('DZD', 2), ('EGP', 2), ('ERN', 2), ('ETB', 2), ('EUR', 2), ('FJD', 2), ('FKP', 2),
('GBP', 2), ('GEL', 2), ('GHS', 2), ('GIP', 2), ('GMD', 2), ('GNF', 0), ('GTQ', 2), ('GYD', 2),
('HKD', 2), ('HNL', 2), ('HTG', 2), ('HUF', 2), ('IDR', 2), ('ILS', 2), ('INR', 2), ('IQD', 3),
('IRR', 2), ('ISK', 0), ('JMD', 2), ('JOD', 3), ('JPY', 0), ('KES', 2), ('KGS', 2), ('KHR', 2),
('KMF', 0), ('KPW', 2), ('KRW', 0), ('KWD', 3), ('KYD', 2), ('KZT', 2), ('LAK', 2), ('LBP', 2),
('LKR', 2), ('LRD', 2), ('LSL', 2), ('LYD', 3), ('MAD', 2), ('MDL', 2), ('MGA', 2), ('MKD', 2),
('MMK', 2), ('MNT', 2), ('MOP', 2), ('MRU', 2), ('MUR', 2), ('MVR', 2), ('MWK', 2), ('MXN', 2),
('MXV', 2), ('MYR', 2), ('MZN', 2), ('NAD', 2), ('NGN', 2), ('NIO', 2), ('NOK', 2), ('NPR', 2),
('NZD', 2), ('OMR', 3), ('PAB', 2), ('PEN', 2), ('PGK', 2), ('PHP', 2), ('PKR', 2), ('PLN', 2),
('PYG', 0), ('QAR', 2), ('RON', 2), ('RSD', 2), ('RUB', 2), ('RWF', 0), ('SAR', 2), ('SBD', 2),
('SCR', 2), ('SDG', 2), ('SEK', 2), ('SGD', 2), ('SHP', 2), ('SLE', 2), ('SOS', 2), ('SRD', 2),
('SSP', 2), ('STN', 2), ('SVC', 2), ('SYP', 2), ('SZL', 2), ('THB', 2), ('TJS', 2), ('TMT', 2),
('TND', 3), ('TOP', 2), ('TRY', 2), ('TTD', 2), ('TWD', 2), ('TZS', 2), ('UAH', 2), ('UGX', 0),
('USD', 2), ('USN', 2), ('UYI', 0), ('UYU', 2), ('UYW', 4), ('UZS', 2), ('VED', 2), ('VES', 2),
('VND', 0), ('VUV', 0), ('WST', 2), ('XAD', 2), ('XAF', 0), ('XCD', 2), ('XCG', 2), ('XOF', 0),
('XPF', 0), ('YER', 2), ('ZAR', 2), ('ZMW', 2), ('ZWG', 2);

grant usage on schema marts, reference to sla_transformer, sla_validator, sla_approver, sla_biller, sla_auditor;
grant usage on schema reference to sla_goodwill;
grant select on all tables in schema marts, reference
to sla_transformer, sla_validator, sla_approver, sla_biller, sla_auditor;
grant insert, delete on all tables in schema marts to sla_transformer;

-- The rows of all months: whoever decides, gives goodwill or restates reads those of months that dbt will not build
-- again. Under SECURITY DEFINER nothing of dbt's can lay down its role.
set local role sla_transformer;
create function staging.keep_rows() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    mart text;
    columns text;
begin
    for mart, columns in
        select
            format('%I.%I', nspname, relname),
            (
                select string_agg(quote_ident(attname), ', ' order by attnum)
                from pg_attribute
                where attrelid = pg_class.oid and attnum > 0
            )
        from pg_class
        inner join pg_namespace on relnamespace = pg_namespace.oid
        where
            nspname = 'marts'
            and relkind = 'r'
            and to_regclass(format('staging.%I', relname)) is not null
    loop
        execute format(
            'insert into %s (%s) select %s from staging.%I', mart, columns, columns, split_part(mart, '.', 2)
        );
        execute format('drop table staging.%I', split_part(mart, '.', 2));
    end loop;
end
$$;
select staging.keep_rows();
drop function staging.keep_rows();
set local role sla_owner;

-- Digest of the marts' rows of the current build's month: what is validated is what is posted. The columns are those of
-- the contract; what follows them in a mart (evidence, digests of decisions) says nothing that these do not.
create or replace function audit.candidate_sha256() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with
    build as (
        select service_month from audit.current_build
    ),
    contents as (
        select
            'fct_account_months' as mart,
            audit.encoded(rows.account_id) || audit.encoded(rows.contract_id)
            || audit.encoded(rows.service_month) || audit.encoded(rows.terms_id)
            || audit.encoded(rows.terms_version) || audit.encoded(rows.guaranteed)
            || audit.encoded(rows.measured_from) || audit.encoded(rows.measured_until)
            || audit.encoded(rows.measured_seconds) || audit.encoded(rows.counted_seconds)
            || audit.encoded(rows.excluded_seconds) || audit.encoded(rows.unknown_seconds)
            || audit.encoded(rows.uptime_percent) || audit.encoded(rows.uptime_percent_low)
            || audit.encoded(rows.uptime_percent_alternative) || audit.encoded(rows.outcome_sensitive)
            || audit.encoded(rows.commitment_percent) || audit.encoded(rows.met)
            || audit.encoded(rows.status) || audit.encoded(rows.reason) as content
        from marts.fct_account_months as rows
        inner join build on rows.service_month = build.service_month
        union all
        select
            'fct_account_downtime' as mart,
            audit.encoded(rows.contract_id) || audit.encoded(rows.service_month)
            || audit.encoded(rows.started_at) || audit.encoded(rows.ended_at)
            || audit.encoded(rows.kind) || audit.encoded(rows.services)
            || audit.encoded(rows.categories) || audit.encoded(rows.source_ids) as content
        from marts.fct_account_downtime as rows
        inner join build on rows.service_month = build.service_month
        union all
        select
            'fct_claims' as mart,
            audit.encoded(rows.claim_id) || audit.encoded(rows.account_id)
            || audit.encoded(rows.contract_id) || audit.encoded(rows.service_month)
            || audit.encoded(rows.received_at) || audit.encoded(rows.complete_at)
            || audit.encoded(rows.deadline_at) || audit.encoded(rows.status)
            || audit.encoded(rows.reason) as content
        from marts.fct_claims as rows
        inner join build on rows.service_month = build.service_month
        union all
        select
            'fct_credits' as mart,
            audit.encoded(rows.account_id) || audit.encoded(rows.contract_id)
            || audit.encoded(rows.service_month) || audit.encoded(rows.basis)
            || audit.encoded(rows.credit_percent) || audit.encoded(rows.monthly_fee)
            || audit.encoded(rows.currency) || audit.encoded(rows.amount)
            || audit.encoded(rows.status) || audit.encoded(rows.reason)
            || audit.encoded(rows.claim_id) as content
        from marts.fct_credits as rows
        inner join build on rows.service_month = build.service_month
        union all
        select
            'fct_response_times' as mart,
            audit.encoded(rows.ticket_id) || audit.encoded(rows.account_id)
            || audit.encoded(rows.contract_id) || audit.encoded(rows.service_month)
            || audit.encoded(rows.severity) || audit.encoded(rows.created_at)
            || audit.encoded(rows.first_human_reply_at) || audit.encoded(rows.first_ai_reply_at)
            || audit.encoded(rows.due_at) || audit.encoded(rows.elapsed_seconds)
            || audit.encoded(rows.business_seconds) || audit.encoded(rows.outcome)
            || audit.encoded(rows.reason) || audit.encoded(rows.guaranteed) as content
        from marts.fct_response_times as rows
        inner join build on rows.service_month = build.service_month
    ),
    hashed as (
        select
            contents.mart,
            sha256(convert_to(contents.content, 'UTF8')) as row_hash
        from contents
    ),
    marts as (
        select
            hashed.mart,
            count(*) as row_count,
            encode(sha256(string_agg(hashed.row_hash, '' order by hashed.row_hash)), 'hex') as rows_sha256
        from hashed
        group by hashed.mart
    )
    select
        audit.digest(coalesce(
            string_agg(
                audit.encoded(marts.mart) || audit.encoded(marts.row_count) || audit.encoded(marts.rows_sha256),
                '' order by marts.mart collate "C"
            ),
            ''
        ))
    from marts
$$;
drop function audit.require_plain_marts();

-- Digest of what a build rests on: the objects in force and what was loaded of them, and the terms as they were
-- published. What the raw gate validated is what is posted on.
create or replace function audit.inputs_sha256() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
    with
    contents as (
        select
            audit.encoded(objects.object_id)
            || audit.encoded(objects.sha256)
            || audit.encoded(objects.status)
            || audit.encoded(objects.rows_loaded)
            || audit.encoded(objects.rows_quarantined) as content
        from raw.source_objects as objects
        where objects.is_in_force
        union all
        select audit.encoded('terms_versions'::text) || audit.encoded(to_jsonb(versions)) as content
        from raw.terms_versions as versions
        union all
        select audit.encoded('calendar_holidays'::text) || audit.encoded(to_jsonb(holidays)) as content
        from raw.calendar_holidays as holidays
    ),
    hashed as (
        select sha256(convert_to(contents.content, 'UTF8')) as row_hash
        from contents
    )
    select encode(sha256(coalesce(string_agg(hashed.row_hash, '' order by hashed.row_hash), '')), 'hex')
    from hashed
$$;

-- What landed stays as it landed, for everybody who has no part in the owner: a login has its role's rights without being
-- in it. An object's rows come before its counts, in one transaction: once these stand, none is added, and of the object
-- there changes what is in force alone; of checks, which are judged together, what they came to.
create function raw.keep_object() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    may_change text [] := '{is_in_force,is_deleted,run_id}';
begin
    if old.feed = 'monitoring/checks' then
        may_change := may_change
            || '{format,status,reason_code,reason,rows_read,rows_loaded,rows_duplicate,rows_quarantined}'::text [];
    end if;
    if to_jsonb(new) - may_change is distinct from to_jsonb(old) - may_change then
        raise insufficient_privilege using
            message = format('A change of object %s (%s) is refused: it has landed', old.object_id, old.key),
            hint = 'Upload what is right as another version of the object, and run the month again.';
    end if;
    return new;
end
$$;
create trigger source_objects_keep before update on raw.source_objects
for each row when (old.rows_read > 0 and not pg_has_role(current_user, 'sla_owner', 'MEMBER'))
execute function raw.keep_object();
alter table raw.source_objects enable always trigger source_objects_keep;

create function raw.require_landing() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    landed record;
begin
    select objects.object_id, objects.key into landed
    from (select distinct added.object_id from added) as named
    inner join raw.source_objects as objects on named.object_id = objects.object_id
    where objects.rows_read > 0
    limit 1;
    if found then
        raise insufficient_privilege using
            message = format(
                'Rows of object %s (%s) are refused in %s: it has landed', landed.object_id, landed.key, tg_table_name
            ),
            hint = 'Upload what is right as another version of the object, and run the month again.';
    end if;
    return null;
end
$$;
do $$
declare
    feed_table text;
begin
    foreach feed_table in array array[
        'accounts', 'claims', 'components', 'contracts', 'exclusions', 'fees', 'incidents', 'monitors', 'notices',
        'status_page_documents', 'terms', 'ticket_events', 'zendesk_ticket_events', 'zendesk_tickets', 'zendesk_users'
    ] loop
        execute format(
            'create trigger %1$I after insert on raw.%2$I referencing new table as added '
            'for each statement when (not pg_has_role(current_user, ''sla_owner'', ''MEMBER'')) '
            'execute function raw.require_landing()',
            feed_table || '_land_once', feed_table
        );
        execute format('alter table raw.%I enable always trigger %I', feed_table, feed_table || '_land_once');
    end loop;
end
$$;

-- Whatever is credited: goodwill takes the fee's currency where nothing is owed, too.
update gate.expectations
set name = 'credits_have_the_fee_as_billed'
where name = 'credits_owed_have_the_fee_as_billed';
insert into gate.expectations (gate, name, severity, may_be_empty, only_with)
values (
    'marts', 'response_credits_are_those_of_the_breaches', 'critical', true,
    'contracts_of_the_month_have_one_account_month'
);

-- Goodwill: reads what its line takes over, keeps who approved it, and appends it.
grant usage on schema raw, audit, billing to sla_goodwill;
grant select on raw.terms_versions, raw.calendar_holidays, reference.currencies to sla_goodwill;
grant select on audit.decisions, billing.sla_statements, billing.evidence, billing.ledger to sla_goodwill;
grant select, insert on billing.credit_line_items, billing.postings to sla_goodwill;
grant execute on function audit.person, billing.hold_decisions_still to sla_goodwill;
