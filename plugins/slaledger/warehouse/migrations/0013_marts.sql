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
            relnamespace in ('marts'::regnamespace, 'reference'::regnamespace)
            and relname in (
                'fct_account_months', 'fct_account_downtime', 'fct_response_times', 'fct_claims', 'fct_credits',
                'fct_findings', 'currencies'
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

-- As dbt_project/models/marts/ and dbt_project/seeds/ say: tests/ledger/test_columns.py.
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
create table reference.currencies (
    currency text not null,
    minor_units integer not null,
    constraint currencies_one_per_code primary key (currency)
);

grant usage on schema marts, reference
to sla_transformer, sla_validator, sla_approver, sla_biller, sla_goodwill, sla_auditor;
grant select on all tables in schema marts, reference
to sla_transformer, sla_validator, sla_approver, sla_biller, sla_auditor;
grant insert, delete on all tables in schema marts to sla_transformer;
grant insert, truncate on reference.currencies to sla_transformer;

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
            nspname in ('marts', 'reference')
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

-- Lets nobody write the marts, change what they are, nor open another build, until the transaction ends. dbt writes each
-- mart in a transaction of its own: none may come between the digest and the lines. It is the owner's, as a lock takes
-- the right to write.
create function marts.hold_still() returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    lock table
        audit.current_build, marts.fct_account_months, marts.fct_account_downtime, marts.fct_response_times,
        marts.fct_claims, marts.fct_credits, marts.fct_findings, reference.currencies
    in share row exclusive mode
$$;

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

-- Goodwill: reads what its line takes over, keeps who approved it, and appends it.
grant usage on schema raw, audit, billing to sla_goodwill;
grant select on raw.terms_versions, raw.calendar_holidays, marts.fct_credits, reference.currencies to sla_goodwill;
grant select on audit.decisions, billing.sla_statements, billing.ledger to sla_goodwill;
grant select, insert on billing.credit_line_items, billing.postings to sla_goodwill;
grant execute on function audit.person, billing.hold_decisions_still to sla_goodwill;
