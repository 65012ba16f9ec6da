-- The books: what was said (statements), what it rests on (evidence), what is owed (lines), what went out
-- (deliveries). Written by slaledger.ledger, slaledger.approvals and slaledger.delivery alone; nothing here is
-- ever updated, deleted or truncated, by the owner neither (rule L1). Ids, keys and amounts come from business
-- keys and the marts: no sequence, no random number; `recorded_at` is the only clock.
create schema billing;

-- What a statement or a line rests on, by its own digest: the text can be hashed again by anyone.
create table billing.evidence (
    evidence_sha256 text not null,
    document text not null, -- JSON; slaledger/ledger/evidence.sql and inputs.sql say what is in it
    recorded_at timestamptz not null,
    constraint evidence_pk primary key (evidence_sha256),
    constraint evidence_is_its_digest check (
        evidence_sha256 = encode(sha256(convert_to(document, 'UTF8')), 'hex')
    )
);

-- Grain: contract, service month, revision. The columns of marts.fct_account_months follow the revision;
-- contract_id and service_month stand once, in front. A new revision only where one of them differs.
create table billing.sla_statements (
    statement_id uuid not null, -- uuid5 of contract, month, revision
    contract_id text not null,
    service_month date not null,
    revision integer not null,
    account_id text not null,
    terms_id text,
    terms_version text,
    guaranteed boolean,
    measured_from timestamptz,
    measured_until timestamptz,
    measured_seconds numeric,
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
    as_of timestamptz not null,
    evidence_sha256 text not null,
    recorded_at timestamptz not null,
    run_id text not null,
    code_version text not null,
    tzdata_version text not null,
    constraint sla_statements_pk primary key (statement_id),
    constraint sla_statements_one_revision unique (contract_id, service_month, revision),
    constraint sla_statements_evidence_fk foreign key (evidence_sha256)
    references billing.evidence (evidence_sha256),
    constraint sla_statements_month_is_first_day check (extract(day from service_month) = 1),
    constraint sla_statements_revision_from_one check (revision >= 1),
    constraint sla_statements_status check (status in ('measured', 'held', 'blocked')),
    -- NaN is above every number, so an upper bound keeps it out.
    constraint sla_statements_seconds check (
        measured_seconds >= 0 and measured_seconds < 1e8
        and counted_seconds between 0 and measured_seconds
        and excluded_seconds between 0 and measured_seconds
        and unknown_seconds between 0 and measured_seconds
    ),
    constraint sla_statements_percents check (
        uptime_percent between 0 and 100
        and uptime_percent_low between 0 and 100
        and uptime_percent_alternative between 0 and 100
        and commitment_percent between 0 and 100
    )
);

-- Grain: one line of an account-month and basis, in the order of its ordinal; all lines are one hash chain, in
-- the order of chain_position. An amount is what the customer gets; an SLA decrease is negative.
create table billing.credit_line_items (
    line_item_id uuid not null, -- uuid5 of idempotency_key
    idempotency_key text not null, -- contract|YYYY-MM|basis|ordinal
    entry_type text not null,
    basis text not null, -- 'goodwill' for goodwill, which thus never adds to an SLA credit (rule L4)
    account_id text not null,
    contract_id text not null,
    service_month date not null,
    amount numeric not null,
    currency text not null,
    credit_percent numeric,
    monthly_fee numeric,
    uptime_percent numeric,
    counted_seconds numeric,
    terms_id text,
    terms_version text,
    claim_id text,
    statement_id uuid not null,
    settlement text not null,
    applies_from date not null,
    corrects_line_item_id uuid,
    reason text not null,
    approved_by text,
    evidence_sha256 text not null,
    run_id text not null,
    code_version text not null,
    tzdata_version text not null,
    recorded_at timestamptz not null,
    previous_hash text not null,
    line_hash text not null,
    ordinal integer not null,
    chain_position bigint not null, -- 1, 2, 3 …: given under the ledger's lock, without gaps
    hash_version integer not null,
    constraint credit_line_items_pk primary key (line_item_id),
    constraint credit_line_items_idempotency_key unique (idempotency_key),
    constraint credit_line_items_one_ordinal unique (contract_id, service_month, basis, ordinal),
    constraint credit_line_items_one_position unique (chain_position),
    constraint credit_line_items_one_successor unique (previous_hash),
    constraint credit_line_items_one_hash unique (line_hash),
    constraint credit_line_items_statement_fk foreign key (statement_id)
    references billing.sla_statements (statement_id),
    constraint credit_line_items_corrects_fk foreign key (corrects_line_item_id)
    references billing.credit_line_items (line_item_id),
    constraint credit_line_items_evidence_fk foreign key (evidence_sha256)
    references billing.evidence (evidence_sha256),
    constraint credit_line_items_key_is_of_line check (
        idempotency_key = contract_id || '|' || extract(year from service_month)::text
        || '-' || lpad(extract(month from service_month)::text, 2, '0')
        || '|' || basis || '|' || ordinal::text
    ),
    constraint credit_line_items_month_is_first_day check (extract(day from service_month) = 1),
    constraint credit_line_items_applies_from_first_day check (extract(day from applies_from) = 1),
    -- Neither NaN nor infinity is below a bound. No line of nothing.
    constraint credit_line_items_amount_finite check (
        amount > -1e15 and amount < 1e15 and amount <> 0
    ),
    constraint credit_line_items_figures_finite check (
        credit_percent between 0 and 100
        and monthly_fee >= 0 and monthly_fee < 1e15
        and uptime_percent between 0 and 100
        and counted_seconds >= 0 and counted_seconds < 1e8
    ),
    constraint credit_line_items_currency check (currency ~ '^[A-Z]{3}$'),
    constraint credit_line_items_basis check (basis in ('availability', 'response_time', 'goodwill')),
    constraint credit_line_items_settlement check (settlement = 'future_invoice'),
    -- First the credit; what comes later corrects it; goodwill is apart, and by a named person.
    constraint credit_line_items_entry_type check (
        case entry_type
            when 'credit' then
                basis <> 'goodwill' and ordinal = 1 and amount > 0 and corrects_line_item_id is null
            when 'adjustment' then
                basis <> 'goodwill' and ordinal > 1 and corrects_line_item_id is not null
                and (amount > 0 or approved_by is not null)
            when 'goodwill' then
                basis = 'goodwill' and ordinal >= 1 and amount > 0
                and corrects_line_item_id is null and approved_by is not null
            else false
        end
    ),
    constraint credit_line_items_approved_by_somebody check (btrim(approved_by) <> ''),
    constraint credit_line_items_hashes check (
        previous_hash ~ '^[0-9a-f]{64}$' and line_hash ~ '^[0-9a-f]{64}$'
        and chain_position >= 1 and hash_version = 1
    )
);
create index credit_line_items_run on billing.credit_line_items (run_id, service_month);

-- Which object of the bucket holds which posting's lines: the outbox's other side. A posting whose manifest is
-- not here is still to be dropped; dropped once, it is not dropped again into another bucket.
create table billing.deliveries (
    bucket text not null,
    key text not null,
    run_id text not null, -- of the lines
    service_month date not null,
    is_manifest boolean not null,
    sha256 text not null,
    row_count bigint not null,
    delivered_at timestamptz not null default clock_timestamp(),
    constraint deliveries_pk primary key (bucket, key)
);
create unique index deliveries_one_manifest on billing.deliveries (run_id, service_month)
where is_manifest;

-- Looked at when a transaction commits: the chain has no gap and no fork, and no account-month's lines of a basis
-- and currency add up below zero (rule L3).
create function billing.check_line() returns trigger language plpgsql as $$
declare
    balance numeric;
begin
    if new.chain_position = 1 then
        if new.previous_hash <> encode(sha256('slaledger.ledger.genesis.v1'), 'hex') then
            raise exception 'Line % is the first of the chain, but does not start from its genesis', new.line_item_id;
        end if;
    elsif not exists (
        select from billing.credit_line_items as predecessor
        where
            predecessor.chain_position = new.chain_position - 1
            and predecessor.line_hash = new.previous_hash
    ) then
        raise exception 'Line % does not follow the line at chain position %',
            new.line_item_id, new.chain_position - 1;
    end if;
    select sum(line.amount) into balance
    from billing.credit_line_items as line
    where
        line.contract_id = new.contract_id
        and line.service_month = new.service_month
        and line.basis = new.basis
        and line.currency = new.currency;
    if balance < 0 then
        raise exception 'The % lines of contract % for % would add up to % %: never below zero',
            new.basis, new.contract_id, to_char(new.service_month, 'YYYY-MM'), balance, new.currency
            using errcode = 'check_violation';
    end if;
    return null;
end
$$;
create constraint trigger credit_line_items_checked after insert on billing.credit_line_items
deferrable initially deferred for each row execute function billing.check_line();

create trigger evidence_append_only before update or delete or truncate on billing.evidence
for each statement execute function audit.refuse_change();
create trigger sla_statements_append_only before update or delete or truncate on billing.sla_statements
for each statement execute function audit.refuse_change();
create trigger credit_line_items_append_only before update or delete or truncate on billing.credit_line_items
for each statement execute function audit.refuse_change();
create trigger deliveries_append_only before update or delete or truncate on billing.deliveries
for each statement execute function audit.refuse_change();
-- Also where a session calls itself a replica.
alter table billing.evidence enable always trigger evidence_append_only;
alter table billing.sla_statements enable always trigger sla_statements_append_only;
alter table billing.credit_line_items enable always trigger credit_line_items_append_only;
alter table billing.credit_line_items enable always trigger credit_line_items_checked;
alter table billing.deliveries enable always trigger deliveries_append_only;

-- The books as they were at an instant (rule L7).
create function billing.statements_as_known_on(known_on timestamptz)
returns setof billing.sla_statements language sql stable as $$
    select distinct on (statement.contract_id, statement.service_month) statement.*
    from billing.sla_statements as statement
    where statement.recorded_at <= known_on
    order by statement.contract_id, statement.service_month, statement.revision desc
$$;
create function billing.lines_as_known_on(known_on timestamptz)
returns setof billing.credit_line_items language sql stable as $$
    select line.*
    from billing.credit_line_items as line
    where line.recorded_at <= known_on
    order by line.chain_position
$$;
