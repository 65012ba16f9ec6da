-- What Zendesk's incremental exports say, row by row: ids, instants, roles and states, in Zendesk's own words. Never a
-- subject, a text, a name or an address. What follows for a ticket's clock is reckoned in dbt.
create table raw.zendesk_tickets (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null, -- ordinal of the row in its page, from 1: tickets, then ticket events, then users
    row_sha256 text not null,
    is_duplicate boolean not null,
    ticket_id text not null, -- ids are the decimal text of Zendesk's numbers
    created_at timestamptz not null,
    updated_at timestamptz,
    organization_id text,
    submitter_id text,
    priority text check (priority in ('urgent', 'high', 'normal', 'low')), -- as it was when exported
    status text,
    is_tagged_merged boolean not null, -- tag `closed_by_merge`
    is_tagged_spam boolean not null, -- tag `spam`
    primary key (object_id, line_number)
);

create table raw.zendesk_ticket_events (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    ticket_event_id text not null,
    ticket_id text not null,
    at timestamptz not null, -- its `created_at`
    updater_id text,
    -- Of its child events the comments, and the changes of priority and status, in their order:
    -- [{"kind": "comment", "is_automatic", "is_public", "author_id"},
    --  {"kind": "priority", "is_automatic", "value", "previous_value"}, {"kind": "status", "is_automatic", "value"}]
    facts jsonb not null,
    primary key (object_id, line_number)
);

create table raw.zendesk_users (
    object_id uuid not null references raw.source_objects (object_id),
    line_number bigint not null,
    row_sha256 text not null,
    is_duplicate boolean not null,
    user_id text not null,
    role text not null check (role in ('end-user', 'agent', 'admin')),
    is_tagged_ai boolean not null, -- tag `ai_agent`
    primary key (object_id, line_number)
);

create index zendesk_tickets_row_sha256 on raw.zendesk_tickets (row_sha256);
create index zendesk_ticket_events_row_sha256 on raw.zendesk_ticket_events (row_sha256);
create index zendesk_users_row_sha256 on raw.zendesk_users (row_sha256);

-- The feed is landed now: nothing reports its objects as not supported any more.
delete from raw.observations where code = 'feed_not_supported';
