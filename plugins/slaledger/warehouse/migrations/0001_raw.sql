-- What landing writes and dbt reads. S3 is the record; these tables can be rebuilt from it.
-- Every row of an entity feed is kept, duplicates too, with the object and line it came from:
-- which row speaks for a key is decided in dbt's staging models (latest exported_at, key, line
-- among the objects in force), never here.
create schema raw;

create table raw.source_objects (
    object_id uuid primary key, -- uuid5 of bucket, key and version: the same object has the same id everywhere
    bucket text not null,
    key text not null,
    version_id text not null,
    etag text not null,
    sha256 text, -- null only where the body could not be read
    size_bytes bigint not null,
    exported_at timestamptz not null,
    landed_at timestamptz not null,
    feed text not null,
    format text not null,
    status text not null check (status in ('loaded', 'quarantined')),
    rows_read bigint not null default 0,
    rows_loaded bigint not null default 0,
    rows_duplicate bigint not null default 0,
    rows_quarantined bigint not null default 0,
    reason_code text, -- why the object was quarantined whole
    reason text,
    is_in_force boolean not null default true, -- the latest version of its key (a deleted key's last one stays)
    is_deleted boolean not null default false, -- the key has a delete marker: reported
    is_complete boolean not null default false, -- object metadata `complete: true` (rule S3)
    last_modified timestamptz not null,
    run_id text not null,
    constraint source_objects_one_per_version unique (bucket, key, version_id),
    constraint source_objects_counts_reconcile check (
        rows_read = rows_loaded + rows_duplicate + rows_quarantined
    ),
    constraint source_objects_quarantined_has_reason check (
        (status = 'quarantined') = (reason_code is not null)
    )
);
create unique index source_objects_one_in_force on raw.source_objects (bucket, key) where is_in_force;
create index source_objects_sha256 on raw.source_objects (feed, sha256);

create table raw.quarantined_rows (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    reason_code text not null,
    reason text not null,
    raw_record jsonb not null, -- the contract's fields only; {"sha256": …} for a line that cannot be parsed
    primary key (object_id, line_number)
);

-- What landing saw and reports, but what loses no row: unknown fields, deleted keys, stray objects.
create table raw.observations (
    code text not null,
    subject text not null,
    object_id uuid references raw.source_objects (object_id),
    detail text not null,
    constraint observations_once unique nulls not distinct (code, subject, object_id, detail)
);

create table raw.monitors (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    monitor_id text not null,
    service text not null,
    region text not null,
    locations text [] not null,
    interval_seconds numeric not null,
    stale_after_seconds numeric, -- null: 2 x interval_seconds (rule M2)
    confirm integer, -- null: 1 (rule M3)
    quorum_min integer, -- null: 2, or 1 for a monitor of one location (rule M4)
    active_from timestamptz,
    active_until timestamptz,
    primary key (object_id, line_number)
);

create table raw.components (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    component_id text not null,
    name text not null,
    service text not null,
    region text not null,
    primary key (object_id, line_number)
);

-- Checks, reduced while landing (docs/decisions, streaks): consecutive checks of one monitor and location with one
-- status, cut where the gap exceeds stale_after, and wherever the source object changes, so that
-- sum(n) over an object = its rows_loaded. Cutting finer is always right: SQL merges what touches.
-- An instant with conflicting statuses is a streak of status `unknown` (rule M1), n = rows in conflict.
create table raw.check_streaks (
    object_id uuid not null references raw.source_objects (object_id),
    monitor_id text not null,
    location text not null,
    status text not null check (status in ('up', 'down', 'degraded', 'unknown')),
    first_at timestamptz not null,
    last_at timestamptz not null,
    n bigint not null check (n > 0),
    max_gap_seconds numeric not null, -- the longest step between two checks within the streak; 0 for one check
    checked_ats timestamptz [], -- every instant of what terms may read as down: confirmation as of any instant (rule M3)
    check (first_at <= last_at),
    check ((status in ('down', 'degraded')) = (checked_ats is not null)),
    primary key (object_id, monitor_id, location, first_at, status)
);
create index check_streaks_monitor on raw.check_streaks (monitor_id, location, first_at);

-- One row an object in force, monitor and location: what the checks span and what they were judged with.
-- Landing finds here which objects must be reduced together, and which must be judged again.
create table raw.check_spans (
    object_id uuid not null references raw.source_objects (object_id),
    monitor_id text not null,
    location text not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    is_known boolean not null, -- the catalog knew monitor and location when they were judged
    stale_after_seconds numeric, -- of the catalog they were judged with; null where unknown
    settled_with text, -- digest of the objects they were reduced together with; null: alone
    primary key (object_id, monitor_id, location)
);

create table raw.check_conflicts (
    monitor_id text not null,
    location text not null,
    checked_at timestamptz not null,
    statuses text [] not null,
    object_ids uuid [] not null,
    primary key (monitor_id, location, checked_at)
);
create index check_conflicts_objects on raw.check_conflicts using gin (object_ids);

-- One row a document of the status page: what it listed, for withdrawal (S3) and inferred resolution (S5).
create table raw.status_page_documents (
    object_id uuid not null references raw.source_objects (object_id),
    kind text not null check (kind in ('incidents', 'scheduled_maintenances', 'summary')),
    page_id text,
    page_updated_at timestamptz,
    incident_ids text [] not null,
    maintenance_ids text [] not null,
    primary key (object_id, kind)
);

create table raw.incidents (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null, -- ordinal of the incident or maintenance in its document, from 1
    row_sha256 text not null,
    is_duplicate boolean not null,
    listed_in text not null check (listed_in in ('incidents', 'scheduled_maintenances', 'summary')),
    is_maintenance boolean not null,
    page_id text,
    incident_id text not null,
    status text not null,
    impact text not null,
    created_at timestamptz not null,
    started_at timestamptz,
    resolved_at timestamptz,
    scheduled_for timestamptz,
    scheduled_until timestamptz,
    component_ids text [] not null, -- that the incident itself lists
    -- [{"update_id", "status", "at", "components": [{"component_id", "new_status"}]}], `at` = display_at, else
    -- created_at, as ISO 8601 UTC with 6 digits; in the document's own order
    updates jsonb not null,
    primary key (object_id, line_number)
);

create table raw.notices (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    notice_id text not null,
    maintenance_id text not null,
    action text not null check (action in ('announce', 'move', 'cut', 'extend', 'cancel')),
    channel text not null check (channel in ('email', 'in_app', 'status_page')),
    sent_at timestamptz not null,
    window_start timestamptz, -- null for `cancel` only
    window_end timestamptz,
    component_ids text [] not null,
    account_ids text [] not null, -- empty = all
    primary key (object_id, line_number)
);

create table raw.exclusions (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    exclusion_id text not null,
    category text not null,
    services text [] not null, -- empty = all, likewise the next two
    regions text [] not null,
    account_ids text [] not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    incident_ids text [] not null,
    evidence_url text,
    author text not null,
    approved_by text,
    approved_at timestamptz,
    revoked_at timestamptz,
    primary key (object_id, line_number)
);

create table raw.ticket_events (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    ticket_id text not null,
    event_id text not null,
    at timestamptz not null,
    type text not null,
    actor text not null,
    account_id text,
    severity text check (severity in ('P1', 'P2', 'P3', 'P4')),
    status text check (status in ('open', 'pending', 'solved', 'closed')),
    target_ticket_id text,
    is_automatic boolean not null default false,
    primary key (object_id, line_number)
);

create table raw.accounts (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    account_id text not null,
    company_name text not null,
    company_key text not null, -- rule C4: NFKC, case-folded, letters and digits only; made in Python
    is_sandbox boolean not null,
    zendesk_organization_id text,
    primary key (object_id, line_number)
);

create table raw.contracts (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    contract_id text not null,
    account_id text not null,
    plan text not null,
    terms_id text not null,
    region text not null,
    services text [] not null, -- empty = all
    starts_at timestamptz not null,
    ends_at timestamptz,
    suspensions tstzmultirange not null,
    active_agreement boolean not null,
    primary key (object_id, line_number)
);

create table raw.fees (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    contract_id text not null,
    service_month date not null, -- its first day
    monthly_fee numeric not null check (monthly_fee >= 0 and monthly_fee < 1e15),
    currency text not null,
    primary key (object_id, line_number)
);

create table raw.claims (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    claim_id text not null,
    account_id text,
    company_name text,
    company_key text,
    service_month date not null,
    sent_at timestamptz,
    received_at timestamptz not null,
    incident_timeline jsonb, -- [{"starts_at", "ends_at"}], never the notes; null where absent or empty
    primary key (object_id, line_number)
);

-- The documents as landed, one row a document.
create table raw.terms (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    terms_id text not null,
    version text not null,
    effective_from timestamptz not null,
    document jsonb not null,
    primary key (object_id, line_number)
);

-- Landing looks here whether a row is held already.
create index monitors_row_sha256 on raw.monitors (row_sha256);
create index components_row_sha256 on raw.components (row_sha256);
create index incidents_row_sha256 on raw.incidents (row_sha256);
create index notices_row_sha256 on raw.notices (row_sha256);
create index exclusions_row_sha256 on raw.exclusions (row_sha256);
create index ticket_events_row_sha256 on raw.ticket_events (row_sha256);
create index accounts_row_sha256 on raw.accounts (row_sha256);
create index contracts_row_sha256 on raw.contracts (row_sha256);
create index fees_row_sha256 on raw.fees (row_sha256);
create index claims_row_sha256 on raw.claims (row_sha256);
create index terms_row_sha256 on raw.terms (row_sha256);

-- Every version of every terms id with what it inherits filled in (rules T1-T3): the shipped three and the
-- landed ones. Replaced as a whole before each build by `terms.publish`; typed, so that no model reads YAML.
create table raw.terms_versions (
    terms_id text not null,
    terms_version text not null,
    effective_from timestamptz not null,
    effective_until timestamptz, -- the next version's effective_from; null: open
    object_id uuid references raw.source_objects (object_id), -- null: shipped with the project
    extends_terms_id text,
    extends_terms_version text,
    inherited text [] not null, -- dotted paths that come from the parent
    landed_late boolean not null, -- landed after its effective_from (T1: reported)
    plan text not null,
    is_guaranteed boolean not null,
    time_zone text not null,
    commitment_percent numeric not null,
    core_services text [] not null,
    down_when text not null check (down_when in ('any', 'all')),
    evidence text not null check (evidence in ('either', 'monitoring', 'status_page', 'both')),
    degraded_counts boolean not null,
    partial_outage_counts boolean not null,
    minimum_outage_seconds numeric not null,
    excluded_time text not null check (excluded_time in ('as_uptime', 'out_of_base')),
    thresholds_from text not null check (thresholds_from in ('period_start', 'period_end')),
    exclusion_categories text [] not null,
    notice_seconds numeric not null,
    notice_channels text [] not null,
    credit_tiers jsonb not null, -- [{"below": "99.9", "percent": "5"}], numbers as text, highest `below` first
    claims_required boolean not null,
    claims_within_days integer not null,
    claims_must_include text [] not null,
    counted_reply text not null check (counted_reply in ('human', 'any')),
    calendar_id text not null, -- -> raw.calendar_holidays
    calendar_time_zone text not null,
    -- {"P1": {"seconds": "7200"}, "P3": {"business_days": "1"}}
    response_targets jsonb not null,
    response_credits jsonb not null, -- [{"severity": "P1", "percent": "1"}]
    response_credit_cap_percent numeric,
    document jsonb not null, -- the whole, resolved
    primary key (terms_id, terms_version),
    constraint terms_versions_one_start unique (terms_id, effective_from)
);

-- Landed documents that cannot stand beside the others (rule T4), refused by `terms.publish`.
create table raw.terms_faults (
    object_id uuid references raw.source_objects (object_id),
    line_number bigint, -- the document's row in its object
    terms_id text not null,
    terms_version text not null,
    line integer not null, -- the line of the document
    message text not null
);

-- Weekdays that are no business days, per calendar (rule R3): expanded from the `holidays` library or listed.
create table raw.calendar_holidays (
    calendar_id text not null, -- a code of the library ("DE", "DE-BY"), "none", or "sha256:…" of a list of dates
    holiday date not null,
    primary key (calendar_id, holiday)
);
