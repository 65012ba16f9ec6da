-- The marts and the seed as contracts.md has them: what dbt builds, for tests that are about the ledger alone.
set local role sla_transformer;
create table marts.fct_account_months (
    account_id text, contract_id text, service_month date, terms_id text, terms_version text, guaranteed boolean,
    measured_from timestamptz, measured_until timestamptz, measured_seconds numeric, counted_seconds numeric,
    excluded_seconds numeric, unknown_seconds numeric, uptime_percent numeric, uptime_percent_low numeric,
    uptime_percent_alternative numeric, outcome_sensitive boolean, commitment_percent numeric, met boolean,
    status text, reason text, held_digest text,
    primary key (contract_id, service_month)
);
create table marts.fct_account_downtime (
    contract_id text, service_month date, started_at timestamptz, ended_at timestamptz, kind text,
    services text [], categories text [], source_ids text []
);
create table marts.fct_response_times (
    ticket_id text, account_id text, contract_id text, service_month date, severity text, created_at timestamptz,
    first_human_reply_at timestamptz, first_ai_reply_at timestamptz, due_at timestamptz, elapsed_seconds numeric,
    business_seconds numeric, outcome text, reason text, guaranteed boolean
);
create table marts.fct_claims (
    claim_id text, account_id text, contract_id text, service_month date, received_at timestamptz,
    complete_at timestamptz, deadline_at timestamptz, status text, reason text, decision_subject text,
    decision_digest text
);
create table marts.fct_credits (
    account_id text, contract_id text, service_month date, basis text, credit_percent numeric,
    monthly_fee numeric, currency text, amount numeric, status text, reason text, claim_id text,
    primary key (contract_id, service_month, basis)
);
create table reference.currencies (currency text primary key, minor_units integer);
insert into reference.currencies (currency, minor_units)
values ('USD', 2), ('EUR', 2), ('JPY', 0), ('KWD', 3);
reset role;
