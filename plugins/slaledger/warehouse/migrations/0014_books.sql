-- What the books refuse at COMMIT besides amounts: a posting is exactly what is due, line by line and statement by
-- statement. What is due is said here once: posting reads it, and the check compares with it.

-- The first day, in the terms' zone, of the month after an instant (rule L4). A terms id keeps its zone for life (rule
-- T4), so any version tells it.
create function billing.applies_from(of_terms_id text, instant timestamptz) returns date
language sql stable set search_path = pg_catalog, pg_temp as $$
    select (
        date_trunc('month', instant at time zone coalesce(min(versions.time_zone), 'UTC')) + interval '1 month'
    )::date
    from raw.terms_versions as versions
    where versions.terms_id = of_terms_id
$$;

-- An account-month of the marts whose figures differ from its last statement's before this posting, or that has none
-- (rule L1): the columns are the statement's.
create function billing.statements_due(of_month date, of_posting bigint) returns table (
    contract_id text,
    service_month date,
    revision integer,
    account_id text,
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
    status text,
    reason text
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    with
    last_statements as (
        select distinct on (statements.contract_id) statements.*
        from billing.sla_statements as statements
        where statements.service_month = of_month and statements.posting_number < of_posting
        order by statements.contract_id, statements.revision desc
    )
    select
        months.contract_id,
        months.service_month,
        coalesce(former.revision, 0) + 1,
        months.account_id,
        months.terms_id,
        months.terms_version,
        months.guaranteed,
        months.measured_from,
        months.measured_until,
        months.measured_seconds,
        months.counted_seconds,
        months.excluded_seconds,
        months.unknown_seconds,
        months.uptime_percent,
        months.uptime_percent_low,
        months.uptime_percent_alternative,
        months.outcome_sensitive,
        months.commitment_percent,
        months.met,
        months.status,
        months.reason
    from only marts.fct_account_months as months
    left join last_statements as former on months.contract_id = former.contract_id
    where
        months.service_month = of_month
        and (
            former.contract_id is null
            or row(
                former.account_id, former.terms_id, former.terms_version, former.guaranteed, former.measured_from,
                former.measured_until, former.measured_seconds, former.counted_seconds, former.excluded_seconds,
                former.unknown_seconds, former.uptime_percent, former.uptime_percent_low,
                former.uptime_percent_alternative, former.outcome_sensitive, former.commitment_percent, former.met,
                former.status, former.reason
            ) is distinct from row(
                months.account_id, months.terms_id, months.terms_version, months.guaranteed, months.measured_from,
                months.measured_until, months.measured_seconds, months.counted_seconds, months.excluded_seconds,
                months.unknown_seconds, months.uptime_percent, months.uptime_percent_low,
                months.uptime_percent_alternative, months.outcome_sensitive, months.commitment_percent, months.met,
                months.status, months.reason
            )
        )
    order by months.contract_id collate "C";
end
$$;

-- As before, and what the lines add up to before a position of the chain.
drop function billing.sums;
create function billing.sums(of_month date, before_position bigint default null) returns table (
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
        where
            lines.service_month = of_month
            and lines.entry_type <> 'goodwill'
            and (before_position is null or lines.chain_position < before_position)
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

-- Grain: contract, basis and currency of the month where what is owed differs from what the lines before a position add
-- up to (rule L2), and is settled: the columns of the line that is due, what it comes from, and what a named person
-- decided on just this decrease (rule L3).
create function billing.lines_due(of_month date, instant timestamptz, before_position bigint default null)
returns table (
    contract_id text,
    basis text,
    currency text,
    service_month date,
    amount numeric,
    account_id text,
    credit_percent numeric,
    monthly_fee numeric,
    uptime_percent numeric,
    counted_seconds numeric,
    terms_id text,
    terms_version text,
    claim_id text,
    statement_id uuid,
    applies_from date,
    corrects_line_item_id uuid,
    reason text,
    owed_amount numeric,
    posted_amount numeric,
    is_exact boolean,
    last_ordinal integer,
    line_item_ids uuid [], -- those before it, in its currency
    decision_subject text,
    decision_digest text, -- of a decrease alone
    is_approved boolean,
    decided_by text
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
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
    posted_lines as (
        select lines.*
        from billing.credit_line_items as lines
        where
            lines.service_month = of_month
            and lines.entry_type <> 'goodwill'
            and (before_position is null or lines.chain_position < before_position)
    ),
    line_item_ids as (
        select
            posted_lines.contract_id,
            posted_lines.basis,
            posted_lines.currency,
            array_agg(posted_lines.line_item_id order by posted_lines.ordinal) as ids
        from posted_lines
        group by posted_lines.contract_id, posted_lines.basis, posted_lines.currency
    ),
    last_lines as (
        select distinct on (posted_lines.contract_id, posted_lines.basis) posted_lines.*
        from posted_lines
        order by posted_lines.contract_id, posted_lines.basis, posted_lines.ordinal desc
    ),
    last_statements as (
        select distinct on (statements.contract_id)
            statements.contract_id,
            statements.statement_id
        from billing.sla_statements as statements
        where statements.service_month = of_month
        order by statements.contract_id, statements.revision desc
    ),
    zones as (
        select
            terms.terms_id,
            billing.applies_from(terms.terms_id, instant) as applies_from
        from (
            select account_months.terms_id from account_months
            union
            select last_lines.terms_id from last_lines
        ) as terms
    )
    select
        sums.contract_id,
        sums.basis,
        sums.currency,
        of_month,
        sums.owed_amount - sums.posted_amount,
        coalesce(account_months.account_id, last_lines.account_id),
        credits.credit_percent,
        credits.monthly_fee,
        account_months.uptime_percent,
        account_months.counted_seconds,
        coalesce(account_months.terms_id, last_lines.terms_id),
        coalesce(account_months.terms_version, last_lines.terms_version),
        credits.claim_id,
        last_statements.statement_id,
        zones.applies_from,
        coalesce(last_lines.corrects_line_item_id, last_lines.line_item_id),
        -- Why it is due, in figures.
        case
            when last_lines.line_item_id is null then
                format(
                    '%s %% of %s %s',
                    coalesce(trim_scale(credits.credit_percent)::text, 'unknown'),
                    coalesce(trim_scale(credits.monthly_fee)::text, 'unknown'),
                    sums.currency
                )
            else
                format(
                    'Owed %s %s, posted %s: %s',
                    trim_scale(sums.owed_amount), sums.currency, trim_scale(sums.posted_amount),
                    case
                        when account_months.contract_id is null then 'the account-month is no more'
                        when credits.status is distinct from 'owed' then
                            'now ' || coalesce(credits.status, 'not_eligible')
                            || coalesce(' (' || nullif(credits.reason, '') || ')', '')
                        else coalesce((
                            select string_agg(
                                format(
                                    '%s was %s, is %s', changes.figure, coalesce(changes.was, 'unknown'),
                                    coalesce(changes.now, 'unknown')
                                ),
                                '; ' order by changes.place
                            )
                            from (
                                values
                                (
                                    1, 'credit percent', trim_scale(last_lines.credit_percent)::text,
                                    trim_scale(credits.credit_percent)::text
                                ),
                                (
                                    2, 'monthly fee', trim_scale(last_lines.monthly_fee)::text,
                                    trim_scale(credits.monthly_fee)::text
                                ),
                                (3, 'its currency', last_lines.currency, credits.currency)
                            ) as changes (place, figure, was, now)
                            where changes.was is distinct from changes.now
                        ), 'the lines before it took back what is owed again')
                    end
                )
        end,
        sums.owed_amount,
        sums.posted_amount,
        sums.is_exact,
        coalesce(last_lines.ordinal, 0),
        coalesce(line_item_ids.ids, '{}'),
        asked.subject,
        asked.digest,
        decisions.is_approved,
        decisions.decided_by
    from billing.sums(of_month, before_position) as sums
    left join account_months on sums.contract_id = account_months.contract_id
    left join credits on sums.contract_id = credits.contract_id and sums.basis = credits.basis
    left join last_lines on sums.contract_id = last_lines.contract_id and sums.basis = last_lines.basis
    left join line_item_ids
        on
            sums.contract_id = line_item_ids.contract_id
            and sums.basis = line_item_ids.basis
            and sums.currency = line_item_ids.currency
    left join last_statements on sums.contract_id = last_statements.contract_id
    left join zones on coalesce(account_months.terms_id, last_lines.terms_id) = zones.terms_id
    cross join lateral (
        select format('%s|%s|%s', sums.contract_id, to_char(of_month, 'YYYY-MM'), sums.basis) as subject
    ) as named
    left join lateral (
        select
            named.subject,
            audit.digest(
                audit.encoded('slaledger decrease'::text)
                || audit.encoded(named.subject)
                || audit.encoded(sums.currency)
                || audit.encoded(sums.owed_amount)
                || audit.encoded(coalesce(line_item_ids.ids, '{}'))
            ) as digest
        where sums.owed_amount < sums.posted_amount
    ) as asked on true
    left join audit.decisions
        on
            decisions.kind = 'decrease'
            and asked.subject = decisions.subject
            and asked.digest = decisions.subject_digest
    where sums.is_settled and sums.owed_amount is distinct from sums.posted_amount
    order by sums.contract_id collate "C", sums.basis collate "C", sums.owed_amount - sums.posted_amount;
end
$$;

-- At most one row: what a goodwill line for the contract and month takes over from its last statement, and from the
-- evidence of what a closing last appended of it, with its fee and currency (rule L4). Of the marts nothing: they may have
-- been written since.
create function billing.goodwill_due(of_contract text, of_month date, instant timestamptz) returns table (
    contract_id text,
    account_id text,
    credit_percent numeric,
    monthly_fee numeric,
    currency text,
    uptime_percent numeric,
    counted_seconds numeric,
    terms_id text,
    terms_version text,
    claim_id text,
    statement_id uuid,
    applies_from date,
    evidence_sha256 text,
    minor_units integer
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select
        statements.contract_id,
        statements.account_id,
        null::numeric,
        fees.monthly_fee,
        fees.currency,
        statements.uptime_percent,
        statements.counted_seconds,
        statements.terms_id,
        statements.terms_version,
        null::text,
        statements.statement_id,
        billing.applies_from(statements.terms_id, instant),
        closed.evidence_sha256,
        currencies.minor_units
    from billing.sla_statements as statements
    cross join lateral (
        select appended.evidence_sha256
        from (
            select others.evidence_sha256, others.recorded_at
            from billing.sla_statements as others
            where others.contract_id = of_contract and others.service_month = of_month
            union all
            select lines.evidence_sha256, lines.recorded_at
            from billing.credit_line_items as lines
            where
                lines.contract_id = of_contract
                and lines.service_month = of_month
                and lines.entry_type <> 'goodwill'
        ) as appended
        order by appended.recorded_at desc, appended.evidence_sha256
        limit 1
    ) as closed
    inner join billing.evidence on closed.evidence_sha256 = evidence.evidence_sha256
    left join lateral jsonb_to_recordset(evidence.document::jsonb -> 'credits') as fees (
        basis text, monthly_fee numeric, currency text
    ) on fees.basis = 'availability'
    left join only reference.currencies as currencies on fees.currency = currencies.currency
    where statements.contract_id = of_contract and statements.service_month = of_month
    order by statements.revision desc
    limit 1;
end
$$;

-- Evidence is one JSON object: whoever verifies the books reads it as such.
alter table billing.evidence
add constraint evidence_is_an_object check (jsonb_typeof(document::jsonb) = 'object');

-- In which columns a row of the books is not what was due, by name; null where it is in none.
create function billing.differing(held jsonb, due jsonb) returns text language sql immutable parallel safe
return (
    select string_agg(fields.key, ', ' order by fields.key collate "C")
    from jsonb_each(due) as fields (key, value)
    where held -> fields.key is distinct from fields.value
);

-- A closing: the run that it names may post, and what it posts is what is due.
create or replace function billing.check_close(posting billing.postings) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
    validations uuid [];
    fault text;
begin
    if not exists (
        select
        from audit.current_build
        inner join audit.builds on current_build.run_id = builds.run_id
        where
            builds.run_id = posting.run_id
            and builds.is_closing
            and builds.prepared_by = posting.prepared_by
            and (builds.code_version, builds.tzdata_version) = (posting.code_version, posting.tzdata_version)
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

    -- The statements are those that are due: none less, none more, none other.
    select
        case
            when statements.statement_id is null then format(
                'contract %s has no statement in it, and its account-month is not that of its last one', due.contract_id
            )
            when due.contract_id is null then format(
                'statement %s of contract %s is not due: its account-month is that of the one before it',
                statements.statement_id, statements.contract_id
            )
            else format(
                'statement %s of contract %s is not the account-month of the marts: its %s', statements.statement_id,
                statements.contract_id, billing.differing(to_jsonb(statements), to_jsonb(due))
            )
        end
    into fault
    from (
        select held.*
        from billing.sla_statements as held
        where held.posting_number = posting.posting_number
    ) as statements
    full join (
        select
            wanted.*,
            posting.code_version,
            posting.tzdata_version
        from billing.statements_due(posting.service_month, posting.posting_number) as wanted
    ) as due on statements.contract_id = due.contract_id
    where (to_jsonb(statements) @> to_jsonb(due)) is not true
    limit 1;
    if found then
        perform billing.refuse(posting, fault);
    end if;

    -- So are the lines. A decrease that nobody approved waits, and with it what is due in another currency (rule L3); one
    -- that somebody approved does not.
    with

    lines as (
        select held.*
        from billing.credit_line_items as held
        where held.chain_position between posting.first_position and posting.last_position
    ),

    compared as (
        select
            due as wanted,
            lines.line_item_id,
            lines.approved_by,
            lines.contract_id as held_contract,
            billing.differing(
                to_jsonb(lines),
                to_jsonb(due) - array[
                    'owed_amount', 'posted_amount', 'is_exact', 'last_ordinal', 'line_item_ids', 'decision_subject',
                    'decision_digest', 'is_approved', 'decided_by'
                ]
            ) as differing,
            count(lines.line_item_id) over (partition by due.contract_id, due.basis, due.currency) as line_count,
            bool_or(due.amount < 0 and lines.line_item_id is null) over (
                partition by due.contract_id, due.basis
            ) as is_decrease_open
        from lines
        full join billing.lines_due(posting.service_month, posting.as_of, posting.first_position) as due
            on
                lines.contract_id = due.contract_id
                and lines.basis = due.basis
                and lines.currency = due.currency
    ),

    faults as (
        select
            line_item_id,
            case
                when line_item_id is null and ((wanted).is_approved or (wanted).amount > 0 and not is_decrease_open) then format(
                    'the lines of contract %s (%s) add up to %s %s, and %s is owed: a line is missing',
                    (wanted).contract_id, (wanted).basis, (wanted).posted_amount, (wanted).currency,
                    (wanted).owed_amount
                )
                when line_item_id is null then null
                when (wanted).contract_id is null then format(
                    'line %s of contract %s is not due in its currency, or what it is owed is not settled',
                    line_item_id, held_contract
                )
                when not coalesce((wanted).is_exact, false) then format(
                    'line %s of contract %s is not exact to the minor unit of a known currency',
                    line_item_id, held_contract
                )
                when differing is not null then format(
                    'line %s of contract %s is not what is due: its %s', line_item_id, held_contract, differing
                )
                when line_count > 1 then format(
                    'line %s of contract %s is one of %s for what is due once', line_item_id, held_contract, line_count
                )
                when (wanted).amount > 0 and is_decrease_open then format(
                    'line %s of contract %s waits until what was posted in another currency is taken back',
                    line_item_id, held_contract
                )
                when (wanted).amount < 0 and ((wanted).is_approved and (wanted).decided_by = approved_by) is not true
                then format(
                    'line %s is a decrease, and nobody but who prepared it has approved it as %s',
                    line_item_id, approved_by
                )
                when (wanted).amount > 0 and approved_by is not null then format(
                    'line %s names an approver, and nobody had to approve it', line_item_id
                )
            end as fault
        from compared
    )

    select faults.fault into fault
    from faults
    where faults.fault is not null
    order by faults.line_item_id nulls last
    limit 1;
    if found then
        perform billing.refuse(posting, fault);
    end if;

    -- Each rests on evidence of its own account-month and credits, as of this closing; and this on inputs that are there.
    with

    resting as (
        select
            format('statement %s', statements.statement_id) as what,
            statements.contract_id,
            statements.evidence_sha256
        from billing.sla_statements as statements
        where statements.posting_number = posting.posting_number
        union all
        select
            format('line %s', lines.line_item_id) as what,
            lines.contract_id,
            lines.evidence_sha256
        from billing.credit_line_items as lines
        where lines.chain_position between posting.first_position and posting.last_position
    ),

    -- Without the long lists: of what it is, and of the figures.
    documents as materialized (
        select
            parsed.evidence_sha256,
            parsed.content - lists.names as content,
            (
                select bool_and(jsonb_typeof(parsed.content -> list.name) is not distinct from 'array')
                from unnest(lists.names) as list (name)
            ) as has_lists
        from (
            select evidence.evidence_sha256, evidence.document::jsonb as content
            from billing.evidence
            where evidence.evidence_sha256 in (select resting.evidence_sha256 from resting)
            offset 0 -- read once
        ) as parsed
        cross join (
            values ('{segments,claims,breaches,terms,decisions,rows,checks,objects}'::text [])
        ) as lists (names)
    )

    select format(
        'the evidence of %s is not of its account-month and credits as of this closing, or not whole', resting.what
    )
    into fault
    from resting
    left join documents on resting.evidence_sha256 = documents.evidence_sha256
    left join only marts.fct_account_months as months
        on resting.contract_id = months.contract_id and posting.service_month = months.service_month
    where
        (
            documents.content @> jsonb_build_object(
                'document', 'slaledger account-month evidence 1',
                'contract_id', resting.contract_id,
                'service_month', posting.service_month,
                'as_of', posting.as_of,
                'account_month', to_jsonb(months)
            )
            and documents.content -> 'credits' = coalesce(
                (
                    select jsonb_agg(to_jsonb(credits) order by credits.basis collate "C")
                    from only marts.fct_credits as credits
                    where
                        credits.contract_id = resting.contract_id
                        and credits.service_month = posting.service_month
                ),
                '[]'
            )
        ) is not true
        or not documents.has_lists
        or not exists (
            select
            from billing.evidence as inputs
            where inputs.evidence_sha256 = documents.content ->> 'inputs_sha256'
        )
    limit 1;
    if found then
        perform billing.refuse(posting, fault);
    end if;
end
$$;

-- Goodwill: one line, approved by a named person who did not prepare it; the rest is its statement's (rule L4).
create or replace function billing.check_goodwill(posting billing.postings) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    fault text;
begin
    select
        case
            when decisions.decision_id is null then format(
                'line %s is goodwill, and nobody but who prepared it has approved it as %s', lines.line_item_id,
                lines.approved_by
            )
            when due.contract_id is null then format(
                'line %s is goodwill for a contract and month without a statement', lines.line_item_id
            )
            when posting.run_id <> format('goodwill-%s', lines.line_item_id) then format(
                'line %s is goodwill, and its run is not its own', lines.line_item_id
            )
            when lines.reason <> decisions.because then format(
                'line %s is goodwill, and its reason is not that of its approval', lines.line_item_id
            )
            when (lines.amount = round(lines.amount, due.minor_units)) is not true then format(
                'line %s is not exact to the minor unit of a known currency', lines.line_item_id
            )
            else format(
                'line %s is goodwill, and not of the last statement of its contract and month: its %s',
                lines.line_item_id,
                billing.differing(to_jsonb(lines), to_jsonb(due) - 'minor_units')
            )
        end
    into fault
    from billing.credit_line_items as lines
    left join lateral billing.goodwill_due(lines.contract_id, lines.service_month, posting.recorded_at) as due on true
    left join audit.decisions
        on
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
    where
        lines.chain_position between posting.first_position and posting.last_position
        and (
            decisions.decision_id is null
            or posting.run_id <> format('goodwill-%s', lines.line_item_id)
            or lines.reason <> decisions.because
            or (lines.amount = round(lines.amount, due.minor_units)) is not true
            or (to_jsonb(lines) @> (to_jsonb(due) - 'minor_units')) is not true
        )
    limit 1;
    if found then
        perform billing.refuse(posting, fault);
    end if;
end
$$;

-- Holds all that a posting reads, until the transaction ends, in one order: the ledger, which one posting has at a time;
-- which build the marts are, and they: dbt writes each in a transaction of its own, and none may come between the digest
-- and the lines; the decisions, of which none with a lower number is then still to come. It is the owner's, as a lock
-- takes the right to write: nobody else may ask for any of these on the ledger, as whoever neither owns nor changes a
-- table gets ACCESS SHARE alone.
create function billing.hold_ledger() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5min' as $$
declare
    tables constant text [] := array[
        'billing.ledger', 'audit.current_build', 'marts.fct_account_months', 'marts.fct_account_downtime',
        'marts.fct_response_times', 'marts.fct_claims', 'marts.fct_credits', 'marts.fct_findings', 'audit.decisions'
    ];
    -- For all of them: `lock_timeout` by itself is for each.
    deadline constant timestamptz := clock_timestamp() + current_setting('lock_timeout')::interval;
    wanted text;
    holder record;
begin
    foreach wanted in array tables loop
        perform set_config(
            'lock_timeout', greatest(1, extract(epoch from deadline - clock_timestamp()) * 1000)::bigint::text, true
        );
        case wanted
            when 'billing.ledger' then
                lock table billing.ledger in exclusive mode;
                -- Whoever waits is told who holds it: of another login's session nothing else can be seen.
                perform set_config(
                    'application_name',
                    to_char(clock_timestamp() at time zone 'UTC', '"slaledger posting since "YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                    true
                );
            when 'audit.decisions' then
                lock table audit.decisions in share mode;
            else
                execute format('lock table %s in share row exclusive mode', wanted);
        end case;
    end loop;
exception
    when lock_not_available then
        -- Who has a lock on it that ours conflicts with; else who keeps the one that is before us in the queue waiting.
        select sessions.pid, sessions.application_name into holder
        from (
            select case when locks.granted then locks.pid else coalesce((pg_blocking_pids(locks.pid)) [1], locks.pid) end
            from pg_locks as locks
            where
                locks.locktype = 'relation'
                and locks.database = (select oid from pg_database where datname = current_database())
                and locks.relation = wanted::regclass
                and locks.pid <> pg_backend_pid()
                and locks.mode <> 'AccessShareLock'
                and (locks.mode <> 'RowShareLock' or wanted = 'billing.ledger')
                and (locks.mode <> 'ShareLock' or wanted <> 'audit.decisions')
            order by locks.granted desc, locks.waitstart, locks.pid
            limit 1
        ) as found (pid)
        left join pg_stat_activity as sessions on found.pid = sessions.pid;
        raise lock_not_available using
            message = format(
                'Session %s (%s) holds %s', coalesce(holder.pid::text, 'unknown'),
                coalesce(nullif(holder.application_name, ''), 'it does not say what for'),
                wanted
            ),
            hint = 'Wait until it is done'
            || coalesce(format(', or end it: select pg_terminate_backend(%s)', holder.pid), '');
end
$$;
drop function billing.hold_decisions_still();

-- A posting is looked at when it commits, by the owner, who first has all of it hold still: whoever wrote it.
create or replace function billing.check_posting() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    bad record;
begin
    -- An older snapshot would not see what was posted, validated or built since.
    if current_setting('transaction_isolation') <> 'read committed' then
        perform billing.refuse(new, 'its transaction is not read committed');
    end if;
    perform billing.hold_ledger();
    perform billing.check_books(new);
    -- Clocks may go back, and then it is the time of the posting before it.
    if new.recorded_at not between transaction_timestamp() and clock_timestamp() and not exists (
        select
        from billing.postings as others
        where others.posting_number = new.posting_number - 1 and others.recorded_at = new.recorded_at
    ) then
        perform billing.refuse(new, 'it says that it was recorded at another time than it is');
    end if;
    if new.kind = 'close' then
        perform billing.check_close(new);
    else
        perform billing.check_goodwill(new);
    end if;

    select lines.line_item_id as id into bad
    from (
        select
            each_line.line_item_id,
            each_line.chain_position,
            each_line.ordinal,
            row_number() over (
                partition by each_line.contract_id, each_line.service_month, each_line.basis order by each_line.ordinal
            ) as place
        from billing.credit_line_items as each_line
        where each_line.service_month = new.service_month
    ) as lines
    where
        lines.chain_position between new.first_position and new.last_position
        and lines.ordinal <> lines.place
    limit 1;
    if found then
        perform billing.refuse(new, format('line %s is not the next of its contract, month and basis', bad.id));
    end if;
    return null;
end
$$;

-- What was posted and is not on record as dropped: the outbox, for whoever drops and whoever asks.
create view billing.undelivered with (security_invoker) as
select
    postings.posting_number,
    postings.service_month,
    postings.run_id,
    postings.line_count,
    postings.sums,
    postings.recorded_at
from billing.postings
left join billing.deliveries on postings.posting_number = deliveries.posting_number
where postings.line_count > 0 and deliveries.posting_number is null;
grant select on billing.undelivered to sla_biller, sla_relay, sla_auditor;

-- A delivery names the one manifest that a posting with lines has (slaledger.delivery): of any other, the lines would be
-- taken to be dropped where nobody looks. That it lies in the bucket is the relay's word, which `sla verify` holds
-- against the bucket.
create function billing.check_delivery() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select
        from billing.postings
        where
            postings.posting_number = new.posting_number
            and postings.line_count > 0
            and new.manifest_key = format(
                'billing/credits/%s/%s-%s/manifest.json', to_char(postings.service_month, 'YYYY-MM'),
                to_char(postings.posting_number, 'FM000000000000'), left(postings.posting_hash, 8)
            )
    ) then
        raise check_violation using message = format(
            'Delivery of posting %s is refused: %s is not its manifest', new.posting_number, new.manifest_key
        ), hint = 'Drop what was posted with `sla run --close`; write to `billing` by no other way.';
    end if;
    return new;
end
$$;
create trigger deliveries_checked before insert on billing.deliveries
for each row execute function billing.check_delivery();
alter table billing.deliveries enable always trigger deliveries_checked;
alter table billing.deliveries
add constraint deliveries_sha256 check (manifest_sha256 ~ '^[0-9a-f]{64}$');

grant execute on function billing.sums, billing.lines_due to sla_approver, sla_biller, sla_auditor;
grant execute on function billing.applies_from to sla_approver, sla_biller, sla_auditor;
grant execute on function billing.statements_due to sla_biller;
grant execute on function billing.hold_ledger to sla_biller, sla_goodwill;
grant execute on function billing.goodwill_due, billing.applies_from to sla_goodwill;
