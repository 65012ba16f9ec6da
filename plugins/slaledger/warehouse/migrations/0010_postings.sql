-- What the books themselves refuse: whatever was not validated, is not owed, or stands outside a posting.

do $$
begin
    if exists (select from billing.sla_statements) then
        raise exception 'its books were written before postings were, and cannot be told what they were checked against. Keep this database as it is, with the code that wrote it, and land the same bucket into a new one';
    end if;
end
$$;

-- The encoding of slaledger.ledger.canonical (hash version 1) in SQL: the same bytes for the same values, whatever the
-- session's time zone, date style or locale. A field is its type's letter, the length of its bytes, a colon, the bytes.
create function audit.field(letter text, body text) returns text language sql immutable parallel safe
return coalesce(letter || octet_length(body)::text || ':' || body, 'n0:');
create function audit.encoded(value text) returns text language sql immutable parallel safe
return audit.field('t', value);
create function audit.encoded(value numeric) returns text language sql immutable parallel safe
return audit.field('d', trim_scale(value)::text);
create function audit.encoded(value boolean) returns text language sql immutable parallel safe
return audit.field('b', value::integer::text);
create function audit.encoded(value uuid) returns text language sql immutable parallel safe
return audit.field('u', value::text);
create function audit.encoded(value date) returns text language sql stable parallel safe
return audit.field('y', to_char(value, 'YYYY-MM-DD'));
create function audit.encoded(value timestamptz) returns text language sql stable parallel safe
return audit.field('s', to_char(value at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
create function audit.encoded(value text []) returns text language sql immutable parallel safe
return case
    when value is not null then audit.field('l', coalesce((
        select string_agg(audit.encoded(elements.element), '' order by elements.number)
        from unnest(value) with ordinality as elements (element, number)
    ), ''))
    else 'n0:'
end;
create function audit.encoded(value uuid []) returns text language sql immutable parallel safe
return case
    when value is not null then audit.field('l', coalesce((
        select string_agg(audit.encoded(elements.element), '' order by elements.number)
        from unnest(value) with ordinality as elements (element, number)
    ), ''))
    else 'n0:'
end;
create function audit.digest(content text) returns text language sql immutable parallel safe
return encode(sha256(convert_to(content, 'UTF8')), 'hex');

-- Digest of the objects in force and what was loaded of them: what the raw gate validated is what is posted on.
create function audit.inputs_sha256() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select encode(sha256(coalesce(string_agg(hashed.row_hash, '' order by hashed.row_hash), '')), 'hex')
    from (
        select
            sha256(convert_to(
                audit.encoded(objects.object_id)
                || audit.encoded(objects.sha256)
                || audit.encoded(objects.status)
                || audit.encoded(objects.rows_loaded)
                || audit.encoded(objects.rows_quarantined),
                'UTF8'
            )) as row_hash
        from raw.source_objects as objects
        where objects.is_in_force
    ) as hashed
$$;

-- The marts are another role's: what is read here with the owner's rights must run nothing of theirs.
create function audit.require_plain_marts() returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    bad record;
begin
    select marts.schema_name || '.' || marts.table_name as name into bad
    from (
        values
        ('marts', 'fct_account_months'),
        ('marts', 'fct_account_downtime'),
        ('marts', 'fct_claims'),
        ('marts', 'fct_credits'),
        ('reference', 'currencies')
    ) as marts (schema_name, table_name)
    left join pg_namespace as schemas on marts.schema_name = schemas.nspname
    left join pg_class as tables on schemas.oid = tables.relnamespace and marts.table_name = tables.relname
    where
        tables.relkind is distinct from 'r'
        or tables.relrowsecurity
        or exists (
            select
            from pg_attribute as columns
            inner join pg_type as types on columns.atttypid = types.oid
            where
                columns.attrelid = tables.oid
                and columns.attnum > 0
                and types.typnamespace <> 'pg_catalog'::regnamespace
        );
    if found then
        raise exception '% is no plain table of built-in types: have dbt build it, by running the month again', bad.name;
    end if;
end
$$;

-- Digest of the marts' rows of the current build's month: what is validated is what is posted. The columns are those of
-- the contract; what follows them in a mart (evidence, digests of decisions) says nothing that these do not.
create function audit.candidate_sha256() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set row_security = off as $$
begin
    perform audit.require_plain_marts();
    return (
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
            from only marts.fct_account_months as rows
            inner join build on rows.service_month = build.service_month
            union all
            select
                'fct_account_downtime' as mart,
                audit.encoded(rows.contract_id) || audit.encoded(rows.service_month)
                || audit.encoded(rows.started_at) || audit.encoded(rows.ended_at)
                || audit.encoded(rows.kind) || audit.encoded(rows.services)
                || audit.encoded(rows.categories) || audit.encoded(rows.source_ids) as content
            from only marts.fct_account_downtime as rows
            inner join build on rows.service_month = build.service_month
            union all
            select
                'fct_claims' as mart,
                audit.encoded(rows.claim_id) || audit.encoded(rows.account_id)
                || audit.encoded(rows.contract_id) || audit.encoded(rows.service_month)
                || audit.encoded(rows.received_at) || audit.encoded(rows.complete_at)
                || audit.encoded(rows.deadline_at) || audit.encoded(rows.status)
                || audit.encoded(rows.reason) as content
            from only marts.fct_claims as rows
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
            from only marts.fct_credits as rows
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
    );
end
$$;

-- One row: which ledger this is. A restored dump keeps it, a fresh database has another: anchors in the bucket are told
-- apart by it.
create table billing.ledger (
    is_ledger boolean not null default true,
    ledger_id uuid not null default gen_random_uuid(),
    constraint ledger_pk primary key (is_ledger),
    constraint ledger_is_one check (is_ledger)
);
insert into billing.ledger default values;

-- Grain: one transaction that appended anything: the batch, and the outbox of the billing drop. Its lines are those at
-- its chain positions; its statements name it. What it says of them is checked when it commits.
create table billing.postings (
    posting_number bigint not null, -- 1, 2, 3 …: given under the ledger's lock, without gaps
    kind text not null,
    run_id text not null,
    service_month date not null,
    as_of timestamptz, -- the validations that it rests on, and their digests: null for goodwill
    raw_validation_id uuid,
    marts_validation_id uuid,
    inputs_sha256 text,
    candidate_sha256 text,
    prepared_by text not null,
    statement_count bigint not null,
    statements_sha256 text not null, -- of the hashes of its statements, in their order
    line_count bigint not null,
    first_position bigint not null, -- of its lines in the chain; without lines, where the next would be
    last_position bigint not null, -- of the chain after it
    head_hash text not null, -- of the line there; the genesis where there is none
    sums jsonb not null, -- currency -> sum of its lines, as text without trailing zeros
    decisions_through bigint not null, -- the last of audit.decisions that was made before it; 0 where there is none
    decision_hashes text [] not null, -- of those made since the posting before it
    code_version text not null,
    tzdata_version text not null,
    recorded_at timestamptz not null,
    previous_hash text not null, -- of the posting before it; of the first: the ledger's genesis
    posting_hash text not null,
    hash_version integer not null,
    constraint postings_pk primary key (posting_number),
    constraint postings_one_successor unique (previous_hash),
    constraint postings_one_hash unique (posting_hash),
    constraint postings_kind check (
        case kind
            when 'close' then
                as_of is not null and raw_validation_id is not null and marts_validation_id is not null
                and inputs_sha256 is not null and candidate_sha256 is not null
            when 'goodwill' then
                as_of is null and raw_validation_id is null and marts_validation_id is null
                and inputs_sha256 is null and candidate_sha256 is null
                and statement_count = 0
            else false
        end
    ),
    constraint postings_of_something check (
        posting_number >= 1 and statement_count >= 0 and line_count >= 0 and statement_count + line_count > 0
    ),
    constraint postings_positions check (
        first_position >= 1 and last_position - first_position + 1 = line_count
    ),
    constraint postings_prepared_by_somebody check (btrim(prepared_by) <> ''),
    constraint postings_month_is_first_day check (extract(day from service_month) = 1),
    constraint postings_hash_version check (hash_version = 1)
);
create index postings_position on billing.postings (last_position);

alter table billing.sla_statements
add column posting_number bigint not null,
add column statement_hash text not null,
add constraint sla_statements_posting_fk foreign key (posting_number)
references billing.postings (posting_number) deferrable initially deferred;
create index sla_statements_posting on billing.sla_statements (posting_number);

-- Evidence is its own digest; when it was first used, its statement says.
alter table billing.evidence drop column recorded_at;

-- Which postings were dropped, into which bucket: the outbox's other side. One that is not here is still to be dropped;
-- dropped once, it is not dropped again into another bucket.
drop table billing.deliveries;
create table billing.deliveries (
    posting_number bigint not null,
    bucket text not null,
    manifest_key text not null,
    manifest_sha256 text not null,
    constraint deliveries_pk primary key (posting_number),
    constraint deliveries_posting_fk foreign key (posting_number) references billing.postings (posting_number),
    constraint deliveries_one_object unique (bucket, manifest_key)
);

-- What slaledger.ledger hashes, in SQL (hash version 1): each column but the hash, name and value.
create function audit.encoded(value jsonb) returns text language sql immutable parallel safe
return audit.field('l', coalesce((
    select string_agg(audit.encoded(fields.key) || audit.encoded(fields.value), '' order by fields.key collate "C")
    from jsonb_each_text(value) as fields (key, value)
), ''));
create function billing.line_hash(line billing.credit_line_items) returns text language sql stable parallel safe
return audit.digest(
    audit.encoded('slaledger line') || audit.field(
        'l',
        audit.encoded('line_item_id') || audit.encoded(line.line_item_id)
        || audit.encoded('idempotency_key') || audit.encoded(line.idempotency_key)
        || audit.encoded('entry_type') || audit.encoded(line.entry_type)
        || audit.encoded('basis') || audit.encoded(line.basis)
        || audit.encoded('account_id') || audit.encoded(line.account_id)
        || audit.encoded('contract_id') || audit.encoded(line.contract_id)
        || audit.encoded('service_month') || audit.encoded(line.service_month)
        || audit.encoded('amount') || audit.encoded(line.amount)
        || audit.encoded('currency') || audit.encoded(line.currency)
        || audit.encoded('credit_percent') || audit.encoded(line.credit_percent)
        || audit.encoded('monthly_fee') || audit.encoded(line.monthly_fee)
        || audit.encoded('uptime_percent') || audit.encoded(line.uptime_percent)
        || audit.encoded('counted_seconds') || audit.encoded(line.counted_seconds)
        || audit.encoded('terms_id') || audit.encoded(line.terms_id)
        || audit.encoded('terms_version') || audit.encoded(line.terms_version)
        || audit.encoded('claim_id') || audit.encoded(line.claim_id)
        || audit.encoded('statement_id') || audit.encoded(line.statement_id)
        || audit.encoded('settlement') || audit.encoded(line.settlement)
        || audit.encoded('applies_from') || audit.encoded(line.applies_from)
        || audit.encoded('corrects_line_item_id') || audit.encoded(line.corrects_line_item_id)
        || audit.encoded('reason') || audit.encoded(line.reason)
        || audit.encoded('approved_by') || audit.encoded(line.approved_by)
        || audit.encoded('evidence_sha256') || audit.encoded(line.evidence_sha256)
        || audit.encoded('run_id') || audit.encoded(line.run_id)
        || audit.encoded('code_version') || audit.encoded(line.code_version)
        || audit.encoded('tzdata_version') || audit.encoded(line.tzdata_version)
        || audit.encoded('recorded_at') || audit.encoded(line.recorded_at)
        || audit.encoded('previous_hash') || audit.encoded(line.previous_hash)
        || audit.encoded('ordinal') || audit.encoded(line.ordinal)
        || audit.encoded('chain_position') || audit.encoded(line.chain_position)
        || audit.encoded('hash_version') || audit.encoded(line.hash_version)
    )
);
create function billing.statement_hash(statement billing.sla_statements) returns text
language sql stable parallel safe
return audit.digest(
    audit.encoded('slaledger statement') || audit.field(
        'l',
        audit.encoded('statement_id') || audit.encoded(statement.statement_id)
        || audit.encoded('contract_id') || audit.encoded(statement.contract_id)
        || audit.encoded('service_month') || audit.encoded(statement.service_month)
        || audit.encoded('revision') || audit.encoded(statement.revision)
        || audit.encoded('account_id') || audit.encoded(statement.account_id)
        || audit.encoded('terms_id') || audit.encoded(statement.terms_id)
        || audit.encoded('terms_version') || audit.encoded(statement.terms_version)
        || audit.encoded('guaranteed') || audit.encoded(statement.guaranteed)
        || audit.encoded('measured_from') || audit.encoded(statement.measured_from)
        || audit.encoded('measured_until') || audit.encoded(statement.measured_until)
        || audit.encoded('measured_seconds') || audit.encoded(statement.measured_seconds)
        || audit.encoded('counted_seconds') || audit.encoded(statement.counted_seconds)
        || audit.encoded('excluded_seconds') || audit.encoded(statement.excluded_seconds)
        || audit.encoded('unknown_seconds') || audit.encoded(statement.unknown_seconds)
        || audit.encoded('uptime_percent') || audit.encoded(statement.uptime_percent)
        || audit.encoded('uptime_percent_low') || audit.encoded(statement.uptime_percent_low)
        || audit.encoded('uptime_percent_alternative') || audit.encoded(statement.uptime_percent_alternative)
        || audit.encoded('outcome_sensitive') || audit.encoded(statement.outcome_sensitive)
        || audit.encoded('commitment_percent') || audit.encoded(statement.commitment_percent)
        || audit.encoded('met') || audit.encoded(statement.met)
        || audit.encoded('status') || audit.encoded(statement.status)
        || audit.encoded('reason') || audit.encoded(statement.reason)
        || audit.encoded('as_of') || audit.encoded(statement.as_of)
        || audit.encoded('evidence_sha256') || audit.encoded(statement.evidence_sha256)
        || audit.encoded('recorded_at') || audit.encoded(statement.recorded_at)
        || audit.encoded('run_id') || audit.encoded(statement.run_id)
        || audit.encoded('code_version') || audit.encoded(statement.code_version)
        || audit.encoded('tzdata_version') || audit.encoded(statement.tzdata_version)
        || audit.encoded('posting_number') || audit.encoded(statement.posting_number)
    )
);
create function billing.posting_hash(posting billing.postings) returns text language sql stable parallel safe
return audit.digest(
    audit.encoded('slaledger posting') || audit.field(
        'l',
        audit.encoded('posting_number') || audit.encoded(posting.posting_number)
        || audit.encoded('kind') || audit.encoded(posting.kind)
        || audit.encoded('run_id') || audit.encoded(posting.run_id)
        || audit.encoded('service_month') || audit.encoded(posting.service_month)
        || audit.encoded('as_of') || audit.encoded(posting.as_of)
        || audit.encoded('raw_validation_id') || audit.encoded(posting.raw_validation_id)
        || audit.encoded('marts_validation_id') || audit.encoded(posting.marts_validation_id)
        || audit.encoded('inputs_sha256') || audit.encoded(posting.inputs_sha256)
        || audit.encoded('candidate_sha256') || audit.encoded(posting.candidate_sha256)
        || audit.encoded('prepared_by') || audit.encoded(posting.prepared_by)
        || audit.encoded('statement_count') || audit.encoded(posting.statement_count)
        || audit.encoded('statements_sha256') || audit.encoded(posting.statements_sha256)
        || audit.encoded('line_count') || audit.encoded(posting.line_count)
        || audit.encoded('first_position') || audit.encoded(posting.first_position)
        || audit.encoded('last_position') || audit.encoded(posting.last_position)
        || audit.encoded('head_hash') || audit.encoded(posting.head_hash)
        || audit.encoded('sums') || audit.encoded(posting.sums)
        || audit.encoded('decisions_through') || audit.encoded(posting.decisions_through)
        || audit.encoded('decision_hashes') || audit.encoded(posting.decision_hashes)
        || audit.encoded('code_version') || audit.encoded(posting.code_version)
        || audit.encoded('tzdata_version') || audit.encoded(posting.tzdata_version)
        || audit.encoded('recorded_at') || audit.encoded(posting.recorded_at)
        || audit.encoded('previous_hash') || audit.encoded(posting.previous_hash)
        || audit.encoded('hash_version') || audit.encoded(posting.hash_version)
    )
);
-- Of whatever columns a decision has: what is null says nothing, so that a column that is added later changes no hash.
create function billing.decision_hash(decision audit.decisions) returns text
language sql stable set timezone = 'UTC'
return audit.digest(
    audit.encoded('slaledger decision') || audit.encoded(jsonb_strip_nulls(to_jsonb(decision)))
);


-- Grain: contract, basis and currency of the month: what is owed, and what the lines add up to (rule L2). Goodwill is
-- apart (rule L4), and amounts of two currencies are never added. Not settled: held, blocked, not over, a claim still
-- open. An account-month, or a basis, that is no more is owed nothing.
create function billing.sums(of_month date) returns table (
    contract_id text,
    basis text,
    currency text,
    owed_amount numeric,
    posted_amount numeric,
    is_settled boolean,
    is_exact boolean
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    with
    account_months as (
        select * from only marts.fct_account_months as rows where rows.service_month = of_month
    ),
    credits as (
        select * from only marts.fct_credits as rows where rows.service_month = of_month
    ),
    owed as (
        select
            credits.contract_id,
            credits.basis,
            credits.currency,
            credits.amount
        from credits
        where credits.status = 'owed' and credits.amount is distinct from 0
    ),
    posted as (
        select
            lines.contract_id,
            lines.basis,
            lines.currency,
            sum(lines.amount) as amount
        from billing.credit_line_items as lines
        where lines.service_month = of_month and lines.entry_type <> 'goodwill'
        group by lines.contract_id, lines.basis, lines.currency
    ),
    compared as (
        select
            coalesce(owed.contract_id, posted.contract_id) as contract_id,
            coalesce(owed.basis, posted.basis) as basis,
            coalesce(owed.currency, posted.currency) as currency,
            case when owed.contract_id is null then 0 else owed.amount end as owed_amount,
            coalesce(posted.amount, 0) as posted_amount
        from owed
        full join posted
            on
                owed.contract_id = posted.contract_id
                and owed.basis = posted.basis
                and owed.currency = posted.currency
    )
    select
        compared.contract_id,
        compared.basis,
        compared.currency,
        compared.owed_amount,
        compared.posted_amount,
        (account_months.contract_id is null or account_months.status = 'measured')
        and (
            credits.status is null
            or credits.status in ('owed', 'not_eligible', 'eligible_unclaimed', 'expired')
        ) as is_settled,
        -- Exact to the currency's minor unit; else null or false: never posted.
        -- NaN and infinity are above the bound.
        compared.owed_amount between 0 and 1e15
        and compared.owed_amount = round(compared.owed_amount, currencies.minor_units) as is_exact
    from compared
    left join account_months on compared.contract_id = account_months.contract_id
    left join credits on compared.contract_id = credits.contract_id and compared.basis = credits.basis
    left join only reference.currencies as currencies on compared.currency = currencies.currency;
end
$$;

-- Holds decisions as they are until the transaction ends: one with a lower number is not still to come.
create function billing.hold_decisions_still() returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    lock table audit.decisions in share mode
$$;

create function billing.refuse(posting billing.postings, reason text) returns void language plpgsql as $$
begin
    raise check_violation using message = format(
        'Posting %s of run %s (%s %s) is refused: %s',
        posting.posting_number, posting.run_id, posting.kind, to_char(posting.service_month, 'YYYY-MM'), reason
    ), hint = 'Nothing was appended. Run the month again with `sla run --close`; write to `billing` by no other way.';
end
$$;

-- The books: what a posting says of its lines, statements, decisions and of the posting before it.
create function billing.check_books(posting billing.postings) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    genesis constant text := encode(sha256('slaledger.ledger.genesis.v1'), 'hex');
    former billing.postings;
    bad record;
begin
    select * into former
    from billing.postings as others
    where others.posting_number = posting.posting_number - 1;
    if not found then
        select
            0 as posting_number,
            audit.digest(audit.encoded('slaledger ledger') || audit.encoded(ledger.ledger_id)) as posting_hash,
            0 as last_position,
            genesis as head_hash,
            0 as decisions_through,
            '-infinity'::timestamptz as recorded_at
        into
            former.posting_number, former.posting_hash, former.last_position, former.head_hash,
            former.decisions_through, former.recorded_at
        from billing.ledger;
    end if;
    if
        posting.posting_number <> former.posting_number + 1
        or posting.previous_hash <> former.posting_hash
        or posting.first_position <> former.last_position + 1
        or posting.recorded_at < former.recorded_at
    then
        perform billing.refuse(posting, 'it does not follow the posting before it');
    end if;
    if posting.posting_hash <> billing.posting_hash(posting) then
        perform billing.refuse(posting, 'its columns do not give its hash');
    end if;

    select lines.line_item_id as id into bad
    from (
        select
            each_line.*,
            lag(each_line.line_hash, 1, former.head_hash) over (order by each_line.chain_position) as follows_hash,
            billing.line_hash(each_line) as computed_hash
        from billing.credit_line_items as each_line
        where each_line.chain_position between posting.first_position and posting.last_position
    ) as lines
    where
        lines.previous_hash <> lines.follows_hash
        or lines.line_hash <> lines.computed_hash
        or (lines.run_id, lines.service_month, lines.recorded_at)
        <> (posting.run_id, posting.service_month, posting.recorded_at)
        or (lines.code_version, lines.tzdata_version) <> (posting.code_version, posting.tzdata_version)
        or (lines.entry_type = 'goodwill') <> (posting.kind = 'goodwill')
    order by lines.chain_position
    limit 1;
    if found then
        perform billing.refuse(posting, format(
            'line %s does not follow the line before it, does not give its hash, or is another posting''s', bad.id
        ));
    end if;
    select
        coalesce(sum(lines.line_count), 0) as line_count,
        coalesce(jsonb_object_agg(lines.currency, trim_scale(lines.amount)::text), '{}') as sums
    into bad
    from (
        select
            each_line.currency,
            count(*) as line_count,
            sum(each_line.amount) as amount
        from billing.credit_line_items as each_line
        where each_line.chain_position between posting.first_position and posting.last_position
        group by each_line.currency
    ) as lines
    where lines.currency is not null;
    if (bad.line_count, bad.sums) is distinct from (posting.line_count::numeric, posting.sums) then
        perform billing.refuse(posting, format(
            'it says %s lines of %s, and there are %s of %s', posting.line_count, posting.sums, bad.line_count, bad.sums
        ));
    end if;
    if posting.head_hash <> coalesce((
        select lines.line_hash
        from billing.credit_line_items as lines
        where lines.chain_position = posting.last_position
    ), genesis) then
        perform billing.refuse(posting, 'the hash that it says is the head of the chain is not that of its last line');
    end if;

    select statements.statement_id as id into bad
    from billing.sla_statements as statements
    where
        statements.posting_number = posting.posting_number
        and (
            statements.statement_hash <> billing.statement_hash(statements)
            or (statements.run_id, statements.service_month, statements.as_of, statements.recorded_at)
            is distinct from (posting.run_id, posting.service_month, posting.as_of, posting.recorded_at)
        )
    limit 1;
    if found then
        perform billing.refuse(posting, format('statement %s does not give its hash, or is another posting''s', bad.id));
    end if;
    select
        count(*) as statement_count,
        audit.digest(coalesce(
            string_agg(statements.statement_hash, '' order by statements.statement_hash collate "C"), ''
        )) as statements_sha256
    into bad
    from billing.sla_statements as statements
    where statements.posting_number = posting.posting_number;
    if (bad.statement_count, bad.statements_sha256) <> (posting.statement_count, posting.statements_sha256) then
        perform billing.refuse(posting, format(
            'it says %s statements, and there are %s, or others', posting.statement_count, bad.statement_count
        ));
    end if;

    select
        coalesce(max(decisions.decision_id), former.decisions_through) as decisions_through,
        coalesce(array_agg(billing.decision_hash(decisions) order by decisions.decision_id), '{}') as decision_hashes
    into bad
    from audit.decisions
    where decisions.decision_id > former.decisions_through;
    if (bad.decisions_through, bad.decision_hashes) <> (posting.decisions_through, posting.decision_hashes) then
        perform billing.refuse(posting, 'the decisions that it says were made before it are not those that were');
    end if;
end
$$;

-- A closing: the run that it names may post, and what it posts is what is owed.
create function billing.check_close(posting billing.postings) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    validations uuid [];
    bad record;
begin
    if not exists (
        select
        from audit.current_build
        inner join audit.builds on current_build.run_id = builds.run_id
        where
            builds.run_id = posting.run_id
            and builds.is_closing
            and builds.prepared_by = posting.prepared_by
            and (current_build.service_month, current_build.as_of) = (posting.service_month, posting.as_of)
            and (builds.service_month, builds.as_of) = (posting.service_month, posting.as_of)
    ) then
        perform billing.refuse(posting, 'its run is not the one whose build is current, or does not close the month');
    end if;
    if posting.inputs_sha256 <> audit.inputs_sha256() then
        perform billing.refuse(posting, 'other exports are in force than those that it names');
    end if;
    if posting.candidate_sha256 <> audit.candidate_sha256() then
        perform billing.refuse(posting, 'the marts are not those that it names');
    end if;
    select array_agg(latest.validation_id order by latest.gate desc) into validations
    from (
        select distinct on (validations.gate) validations.*
        from audit.validations
        where
            validations.run_id = posting.run_id
            and (validations.service_month, validations.as_of) = (posting.service_month, posting.as_of)
        order by validations.gate, validations.validation_number desc
    ) as latest
    where
        latest.is_success
        and not exists (
            select
            from audit.validations as records
            cross join lateral gate.objections(records)
            where records.validation_id = latest.validation_id
        )
        and latest.candidate_sha256
        = case latest.gate when 'raw' then posting.inputs_sha256 else posting.candidate_sha256 end;
    if validations is distinct from array[posting.raw_validation_id, posting.marts_validation_id] then
        perform billing.refuse(posting, 'its run has no successful validation by both gates of exactly this candidate');
    end if;

    select statements.statement_id as id into bad
    from billing.sla_statements as statements
    left join only marts.fct_account_months as account_months
        on
            statements.contract_id = account_months.contract_id
            and statements.service_month = account_months.service_month
    where
        statements.posting_number = posting.posting_number
        and (
            row(
                statements.account_id, statements.terms_id, statements.terms_version, statements.guaranteed,
                statements.measured_from, statements.measured_until, statements.measured_seconds,
                statements.counted_seconds, statements.excluded_seconds, statements.unknown_seconds,
                statements.uptime_percent, statements.uptime_percent_low, statements.uptime_percent_alternative,
                statements.outcome_sensitive, statements.commitment_percent, statements.met, statements.status,
                statements.reason
            ) is distinct from row(
                account_months.account_id, account_months.terms_id, account_months.terms_version,
                account_months.guaranteed, account_months.measured_from, account_months.measured_until,
                account_months.measured_seconds, account_months.counted_seconds, account_months.excluded_seconds,
                account_months.unknown_seconds, account_months.uptime_percent, account_months.uptime_percent_low,
                account_months.uptime_percent_alternative, account_months.outcome_sensitive,
                account_months.commitment_percent, account_months.met, account_months.status, account_months.reason
            )
            or statements.revision <> (
                select count(*)
                from billing.sla_statements as revisions
                where
                    revisions.contract_id = statements.contract_id
                    and revisions.service_month = statements.service_month
            )
        )
    limit 1;
    if found then
        perform billing.refuse(posting, format(
            'statement %s is not the account-month of the marts, or not its next revision', bad.id
        ));
    end if;

    -- What it appends comes to exactly what is owed, and what is owed and waits for nobody is not left out.
    with

    touched as (
        select
            lines.contract_id,
            lines.basis,
            lines.currency,
            (array_agg(lines.line_item_id order by lines.chain_position desc))[1] as line_item_id
        from billing.credit_line_items as lines
        where lines.chain_position between posting.first_position and posting.last_position
        group by lines.contract_id, lines.basis, lines.currency
    ),

    sums as (
        select
            all_sums.*,
            bool_or(all_sums.posted_amount > all_sums.owed_amount) over (
                partition by all_sums.contract_id, all_sums.basis
            ) as is_decrease_open
        from billing.sums(posting.service_month) as all_sums
    )

    select
        sums.*,
        touched.line_item_id
    into bad
    from sums
    left join touched
        on
            sums.contract_id = touched.contract_id
            and sums.basis = touched.basis
            and sums.currency = touched.currency
    where
        case
            when touched.line_item_id is not null then
                not coalesce(sums.is_settled and sums.is_exact and sums.owed_amount = sums.posted_amount, false)
            else
                sums.is_settled and sums.owed_amount > sums.posted_amount and not sums.is_decrease_open
        end
    limit 1;
    if found then
        perform billing.refuse(posting, format(
            'after it%s the lines of contract %s (%s) add up to %s %s, and %s is owed%s',
            coalesce(', with line ' || bad.line_item_id::text || ',', ''), bad.contract_id, bad.basis,
            bad.posted_amount, bad.currency, bad.owed_amount,
            case when bad.is_settled then '' else ', which is not settled' end
        ));
    end if;

    select lines.line_item_id as id into bad
    from billing.credit_line_items as lines
    left join only marts.fct_account_months as account_months
        on
            lines.contract_id = account_months.contract_id
            and lines.service_month = account_months.service_month
    left join only marts.fct_credits as credits
        on
            lines.contract_id = credits.contract_id
            and lines.service_month = credits.service_month
            and lines.basis = credits.basis
    where
        lines.chain_position between posting.first_position and posting.last_position
        and (
            (lines.uptime_percent, lines.counted_seconds, lines.credit_percent, lines.monthly_fee, lines.claim_id)
            is distinct from (
                account_months.uptime_percent, account_months.counted_seconds, credits.credit_percent,
                credits.monthly_fee, credits.claim_id
            )
            or account_months.contract_id is not null
            and (lines.account_id, lines.terms_id, lines.terms_version) is distinct from (
                account_months.account_id, account_months.terms_id, account_months.terms_version
            )
        )
    limit 1;
    if found then
        perform billing.refuse(posting, format('the figures of line %s are not those of the marts', bad.id));
    end if;

    -- A decrease takes back what a named person approved, of exactly these lines (rule L3).
    select
        lines.line_item_id as id,
        lines.approved_by
    into bad
    from billing.credit_line_items as lines
    inner join billing.sums(posting.service_month) as sums
        on
            lines.contract_id = sums.contract_id
            and lines.basis = sums.basis
            and lines.currency = sums.currency
    where
        lines.chain_position between posting.first_position and posting.last_position
        and lines.amount < 0
        and not exists (
            select
            from audit.decisions
            where
                decisions.kind = 'decrease'
                and decisions.is_approved
                and decisions.decided_by = lines.approved_by
                and decisions.decided_by <> decisions.prepared_by
                and decisions.subject
                = format('%s|%s|%s', lines.contract_id, to_char(lines.service_month, 'YYYY-MM'), lines.basis)
                and decisions.subject_digest = audit.digest(
                    audit.encoded('slaledger decrease')
                    || audit.encoded(decisions.subject)
                    || audit.encoded(lines.currency)
                    || audit.encoded(sums.owed_amount)
                    || audit.encoded(array(
                        select former_lines.line_item_id
                        from billing.credit_line_items as former_lines
                        where
                            former_lines.contract_id = lines.contract_id
                            and former_lines.service_month = lines.service_month
                            and former_lines.basis = lines.basis
                            and former_lines.currency = lines.currency
                            and former_lines.chain_position < posting.first_position
                        order by former_lines.ordinal
                    ))
                )
        )
    limit 1;
    if found then
        perform billing.refuse(posting, format(
            'line %s is a decrease, and nobody but who prepared it has approved it as %s', bad.id, bad.approved_by
        ));
    end if;
end
$$;

-- Goodwill: approved by a named person who did not prepare it (rule L4).
create function billing.check_goodwill(posting billing.postings) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    bad record;
begin
    select
        lines.line_item_id as id,
        lines.approved_by
    into bad
    from billing.credit_line_items as lines
    where
        lines.chain_position between posting.first_position and posting.last_position
        and not exists (
            select
            from audit.decisions
            where
                decisions.kind = 'goodwill'
                and decisions.is_approved
                and decisions.decided_by = lines.approved_by
                and decisions.prepared_by = posting.prepared_by
                and decisions.decided_by <> decisions.prepared_by
                and decisions.subject = lines.idempotency_key
                and decisions.subject_digest = audit.digest(
                    audit.encoded('slaledger goodwill')
                    || audit.encoded(lines.idempotency_key)
                    || audit.encoded(lines.amount)
                    || audit.encoded(lines.currency)
                )
        )
    limit 1;
    if found then
        perform billing.refuse(posting, format(
            'line %s is goodwill, and nobody but who prepared it has approved it as %s', bad.id, bad.approved_by
        ));
    end if;
end
$$;

create function billing.check_posting() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = off as $$
declare
    bad record;
begin
    -- An older snapshot would not see what was posted, validated or built since.
    if current_setting('transaction_isolation') <> 'read committed' then
        perform billing.refuse(new, 'its transaction is not read committed');
    end if;
    perform billing.check_books(new);
    if new.kind = 'close' then
        perform billing.check_close(new);
    else
        perform billing.check_goodwill(new);
    end if;

    select lines.line_item_id as id into bad
    from (
        select
            each_line.line_item_id,
            each_line.statement_id,
            each_line.chain_position,
            each_line.ordinal,
            row_number() over (
                partition by each_line.contract_id, each_line.service_month, each_line.basis order by each_line.ordinal
            ) as place,
            last_value(each_line.chain_position) over (
                partition by each_line.contract_id, each_line.service_month, each_line.basis order by each_line.ordinal
            ) as place_position,
            (
                select statements.statement_id
                from billing.sla_statements as statements
                where
                    statements.contract_id = each_line.contract_id
                    and statements.service_month = each_line.service_month
                order by statements.revision desc
                limit 1
            ) as last_statement_id
        from billing.credit_line_items as each_line
        where each_line.service_month = new.service_month
    ) as lines
    where
        lines.chain_position between new.first_position and new.last_position
        and (lines.ordinal <> lines.place or lines.statement_id is distinct from lines.last_statement_id)
    limit 1;
    if found then
        perform billing.refuse(new, format(
            'line %s is not the next of its contract, month and basis, or not of the last statement', bad.id
        ));
    end if;
    return null;
end
$$;
create constraint trigger postings_checked after insert on billing.postings
deferrable initially deferred for each row execute function billing.check_posting();

-- A line outside every posting is nobody's. Into one that is there already none comes: its positions are taken.
drop trigger credit_line_items_checked on billing.credit_line_items;
drop function billing.check_line();
create function billing.check_line_is_posted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select
        from billing.postings
        where new.chain_position between postings.first_position and postings.last_position
    ) then
        raise check_violation using
            message = format('Line %s is outside every posting: it is refused', new.line_item_id),
            hint = 'Run the month with `sla run --close`; write to `billing` by no other way.';
    end if;
    return null;
end
$$;
create constraint trigger credit_line_items_posted after insert on billing.credit_line_items
deferrable initially deferred for each row execute function billing.check_line_is_posted();

-- A statement comes before its posting: one that is there already takes no more.
create function billing.check_statement_is_before() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from billing.postings where postings.posting_number >= new.posting_number) then
        raise check_violation using
            message = format(
                'Statement %s is for posting %s, which is there already: it is refused',
                new.statement_id, new.posting_number
            ),
            hint = 'Run the month with `sla run --close`; write to `billing` by no other way.';
    end if;
    return new;
end
$$;
create trigger sla_statements_before_posting before insert on billing.sla_statements
for each row execute function billing.check_statement_is_before();

create trigger ledger_append_only before insert or update or delete or truncate on billing.ledger
for each statement execute function audit.refuse_change();
create trigger postings_append_only before update or delete or truncate on billing.postings
for each statement execute function audit.refuse_change();
create trigger deliveries_append_only before update or delete or truncate on billing.deliveries
for each statement execute function audit.refuse_change();
-- Also where a session calls itself a replica.
alter table billing.ledger enable always trigger ledger_append_only;
alter table billing.postings enable always trigger postings_append_only;
alter table billing.postings enable always trigger postings_checked;
alter table billing.deliveries enable always trigger deliveries_append_only;
alter table billing.credit_line_items enable always trigger credit_line_items_posted;
alter table billing.sla_statements enable always trigger sla_statements_before_posting;

revoke execute on all functions in schema audit, billing from public;
grant execute on function audit.inputs_sha256, audit.candidate_sha256 to sla_validator, sla_biller, sla_auditor;
grant execute on function billing.sums to sla_approver, sla_biller, sla_auditor;
grant execute on function billing.hold_decisions_still to sla_biller;
grant select on billing.ledger, billing.postings, billing.deliveries to sla_biller, sla_relay, sla_auditor;
-- dbt's tests of the ledger look at what is still to go out.
grant select on billing.postings, billing.deliveries to sla_transformer;
grant insert on billing.postings to sla_biller;
grant insert on billing.deliveries to sla_relay;
