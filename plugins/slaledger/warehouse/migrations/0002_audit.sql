-- Who ran what, what was validated, what people decided. Written by the pipeline, read by dbt and the ledger.
create schema audit;

-- The listing of the bucket, frozen before anything is read from it (one row a run and object version).
create table audit.listed_objects (
    run_id text not null,
    object_id uuid not null,
    bucket text not null,
    key text not null,
    version_id text not null,
    etag text not null,
    size_bytes bigint not null,
    last_modified timestamptz not null,
    is_latest boolean not null,
    is_deleted boolean not null,
    primary key (run_id, object_id)
);

-- One row a build of a service month as of one instant.
create table audit.builds (
    run_id text primary key,
    service_month date not null,
    as_of timestamptz not null,
    is_closing boolean not null,
    code_version text not null,
    tzdata_version text not null,
    started_at timestamptz not null default clock_timestamp()
);

-- The one build that the models speak of: dbt joins it, so that its compiled SQL never changes.
create table audit.current_build (
    is_current boolean primary key default true check (is_current),
    run_id text not null references audit.builds (run_id),
    service_month date not null, -- first day
    as_of timestamptz not null
);

create table audit.validations (
    validation_id uuid primary key,
    run_id text not null,
    gate text not null check (gate in ('raw', 'marts')),
    service_month date not null,
    as_of timestamptz not null,
    candidate_sha256 text not null, -- of what was validated (marts: the candidate that the ledger would post)
    is_success boolean not null, -- no critical expectation failed, and all that were expected were evaluated
    expectations jsonb not null, -- [{"name", "severity", "is_success", "unexpected", "detail"}]
    evaluated_at timestamptz not null default clock_timestamp()
);
create index validations_run on audit.validations (run_id, gate);

-- Decisions by named people, kept for good.
create table audit.decisions (
    decision_id bigint generated always as identity primary key,
    kind text not null check (kind in ('held_month', 'claim', 'decrease', 'quarantine_limit')),
    -- held_month: 'contract_id|YYYY-MM'; claim: 'claim_id|contract_id|YYYY-MM';
    -- decrease: 'contract_id|YYYY-MM|basis'; quarantine_limit: the feed
    subject text not null,
    subject_digest text not null, -- of what was decided on: other figures need another decision
    is_approved boolean not null,
    decided_by text not null check (btrim(decided_by) <> ''),
    because text not null check (btrim(because) <> ''),
    decided_at timestamptz not null default clock_timestamp(),
    constraint decisions_once unique (kind, subject, subject_digest)
);
create function audit.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% on %.% is refused: it is append-only', tg_op, tg_table_schema, tg_table_name;
end
$$;
create trigger decisions_append_only before update or delete or truncate on audit.decisions
for each statement execute function audit.refuse_change();
alter table audit.decisions enable always trigger decisions_append_only;
