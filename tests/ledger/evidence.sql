-- What landed for contract K-1 in March 2026: a file of checks, an incident and its component, an exclusion, a
-- maintenance with its notice, an account, a contract, a fee in two versions of its object, and a claim in two messages.
insert into raw.source_objects (
    object_id, bucket, key, version_id, etag, sha256, size_bytes, exported_at, landed_at, feed, format, status,
    rows_read, rows_loaded, is_in_force, last_modified, run_id
)
select
    ('00000000-0000-0000-0000-0000000000' || objects.number)::uuid, 'sla-exports', objects.key, 'v' || objects.number,
    'e', repeat(objects.number, 32), 1, objects.exported_at, '2026-04-02T00:00Z', objects.feed, 'ndjson', 'loaded',
    0, 0, objects.is_in_force, '2026-04-02T00:00Z', 'r'
from (
    values
    ('01', 'monitoring/checks/march.ndjson', '2026-04-01T00:00Z'::timestamptz, 'monitoring/checks', true),
    ('02', 'status_page/statuspage/incidents.json', '2026-04-01T00:00Z', 'status_page/statuspage', true),
    ('03', 'exclusions/register.ndjson', '2026-04-01T00:00Z', 'exclusions', true),
    ('04', 'notices/march.ndjson', '2026-04-01T00:00Z', 'notices', true),
    ('05', 'accounts/contracts/all.ndjson', '2026-04-01T00:00Z', 'accounts/contracts', true),
    ('06', 'accounts/fees/2026.csv', '2026-03-01T00:00Z', 'accounts/fees', false),
    ('07', 'accounts/fees/2026.csv', '2026-04-01T00:00Z', 'accounts/fees', true),
    ('08', 'claims/april.ndjson', '2026-04-11T00:00Z', 'claims', true),
    ('09', 'catalog/monitors/all.csv', '2026-01-01T00:00Z', 'catalog/monitors', true),
    ('10', 'monitoring/checks/january.ndjson', '2026-02-01T00:00Z', 'monitoring/checks', true),
    ('11', 'catalog/components/all.csv', '2026-01-01T00:00Z', 'catalog/components', true),
    ('12', 'accounts/accounts/all.csv', '2026-01-01T00:00Z', 'accounts/accounts', true)
) as objects (number, key, exported_at, feed, is_in_force);

insert into raw.monitors values (
    '00000000-0000-0000-0000-000000000009', 3, 'h', false, 'm-calls', 'call_routing', 'eu', '{fra,dub,ams}', 60
);
insert into raw.check_streaks values
('00000000-0000-0000-0000-000000000001', 'm-calls', 'fra', 'down', '2026-03-10T08:00Z', '2026-03-10T11:42Z', 223, 60,
    '{2026-03-10T08:00Z}'),
('00000000-0000-0000-0000-000000000001', 'm-calls', 'fra', 'up', '2026-03-10T11:43Z', '2026-03-31T23:59Z', 30737, 60,
    null);
insert into raw.check_spans values
('00000000-0000-0000-0000-000000000001', 'm-calls', 'fra', '2026-03-01T00:00Z', '2026-03-31T23:59Z', true, 120, null),
('00000000-0000-0000-0000-000000000010', 'm-calls', 'fra', '2026-01-01T00:00Z', '2026-01-31T23:59Z', true, 120, null);
insert into raw.incidents values (
    '00000000-0000-0000-0000-000000000002', 7, 'h', false, 'incidents', false, 'page', 'inc-1', 'resolved', 'major',
    '2026-03-10T08:05Z', '2026-03-10T08:00Z', '2026-03-10T11:43:12Z', null, null, '{c-calls}', '[]'
);
insert into raw.exclusions values (
    '00000000-0000-0000-0000-000000000003', 4, 'h', false, 'ex-1', 'third_party_meta', '{messaging_engine}', '{}', '{}',
    '2026-03-12T00:00Z', '2026-03-12T01:00Z', '{}', 'https://example.org/meta', 'Ann', 'Bob', '2026-03-13T00:00Z', null
);
insert into raw.notices values (
    '00000000-0000-0000-0000-000000000004', 5, 'h', false, 'no-1', 'mt-1', 'announce', 'email', '2026-03-15T00:00Z',
    '2026-03-20T00:00Z', '2026-03-20T02:00Z', '{c-calls}', '{}'
),
(
    '00000000-0000-0000-0000-000000000004', 6, 'h', false, 'no-2', 'mt-1', 'announce', 'email', '2026-03-15T00:00Z',
    '2026-03-20T00:00Z', '2026-03-20T02:00Z', '{c-calls}', '{A-OTHER}'
);
insert into raw.contracts values (
    '00000000-0000-0000-0000-000000000005', 12, 'h', false, 'K-1', 'A-1', 'enterprise', 'klink-enterprise', 'eu', '{}',
    '2026-01-01T00:00Z', null, '{}', true
);
insert into raw.components values
('00000000-0000-0000-0000-000000000011', 2, 'h', false, 'c-calls', 'Calls', 'call_routing', 'eu'),
('00000000-0000-0000-0000-000000000011', 3, 'h', false, 'c-other', 'Other', 'dashboard', 'eu');
insert into raw.accounts values
('00000000-0000-0000-0000-000000000012', 2, 'h', false, 'A-1', 'Secret Corp', 'secretcorp', false, null),
('00000000-0000-0000-0000-000000000012', 3, 'h', false, 'A-OTHER', 'Other Corp', 'othercorp', false, null);
insert into raw.fees values
('00000000-0000-0000-0000-000000000006', 2, 'h', false, 'K-1', '2026-03-01', 900.00, 'USD'),
('00000000-0000-0000-0000-000000000007', 2, 'h', false, 'K-1', '2026-03-01', 1000.00, 'USD');
insert into raw.claims values
('00000000-0000-0000-0000-000000000008', 1, 'h', false, 'CL-1', 'A-1', 'Secret Corp', 'secretcorp', '2026-03-01', null,
    '2026-04-05T00:00Z', null),
('00000000-0000-0000-0000-000000000008', 9, 'i', false, 'CL-1', null, null, null, '2026-03-01', null,
    '2026-04-06T00:00Z', '[{"starts_at": "2026-03-10T08:00:00Z", "ends_at": null}]');
