-- Who prepared a build stays who prepared it: its name is never overwritten, and clearing its run makes no new figures
-- under that name. What has landed since, or another build of the month, takes a run of one's own.
alter table audit.builds add column build_number bigint;
update audit.builds
set build_number = ordered.build_number
from (
    select run_id, row_number() over (order by started_at, run_id) as build_number
    from audit.builds
) as ordered
where builds.run_id = ordered.run_id;
alter table audit.builds
alter column build_number set not null,
alter column build_number add generated always as identity,
add constraint builds_in_order unique (build_number);
select setval(pg_get_serial_sequence('audit.builds', 'build_number'), greatest(max(build_number), 1), max(build_number) > 0)
from audit.builds;

-- What was in force when it was opened; null: before this was recorded.
alter table audit.builds add column inputs_sha256 text;
-- The account that Airflow says triggered it, where there was one: `sla run` logs in as one account for all.
alter table audit.builds add column triggered_by text check (btrim(triggered_by) <> '');

create function audit.require_as_opened(given_run_id text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    build audit.builds;
    later text;
begin
    select * into build from audit.builds where builds.run_id = given_run_id;
    select builds.run_id into later
    from audit.builds
    where builds.service_month = build.service_month and builds.build_number > build.build_number
    order by builds.build_number desc
    limit 1;
    if later is not null then
        raise object_not_in_prerequisite_state using
            message = format('%s was opened for %s after run %s', later, to_char(build.service_month, 'YYYY-MM'), given_run_id);
    end if;
    if build.inputs_sha256 is distinct from audit.inputs_sha256() then
        raise object_not_in_prerequisite_state using
            message = format('Other exports are in force than when run %s was opened', given_run_id);
    end if;
end
$$;

create function audit.keep_build() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        new.inputs_sha256 := audit.inputs_sha256();
        return new;
    end if;
    if
        (new.run_id, new.prepared_by, new.triggered_by, new.inputs_sha256, new.build_number)
        is distinct from (old.run_id, old.prepared_by, old.triggered_by, old.inputs_sha256, old.build_number)
    then
        raise 'Who prepared run %, and on what, is refused to be changed: it is on record for good', old.run_id;
    end if;
    if new.models_started_at is distinct from old.models_started_at then
        perform audit.require_as_opened(new.run_id);
    end if;
    return new;
end
$$;
create trigger builds_keep before insert or update on audit.builds
for each row execute function audit.keep_build();
create trigger builds_stay before delete or truncate on audit.builds
for each statement execute function audit.refuse_change();
alter table audit.builds enable always trigger builds_keep;
alter table audit.builds enable always trigger builds_stay;
-- The rest the database says. With a number of one's own, the last there is, nobody could open the month again.
revoke insert on audit.builds from sla_transformer;
grant insert (run_id, service_month, as_of, is_closing, code_version, tzdata_version, prepared_by, triggered_by)
on audit.builds to sla_transformer;

create function audit.keep_current_build() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform audit.require_as_opened(new.run_id);
    return new;
end
$$;
create trigger current_build_as_opened before insert or update on audit.current_build
for each row execute function audit.keep_current_build();
alter table audit.current_build enable always trigger current_build_as_opened;

-- What the raw gate's record was judged by: {"limit_percent", "feeds": [{"feed", "rows_read", "rows_quarantined"}]}.
-- Records from before have none.
alter table audit.validations add column quarantine jsonb;

-- What waits for a named person, of one kind or of all, decided or not: the figures that a decision is bound to, and who
-- cannot decide, as they asked for the run that left them: of a month the one whose figures stand. A feed over its limit
-- stops the last run of each month whose raw gate counted these rows: it has a row for each of them.
create function audit.questions(of_kind text default null) returns table (
    kind text,
    subject text,
    subject_digest text,
    description text,
    prepared_by text,
    triggered_by text
)
language sql stable security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
    with

    standing as (
        select distinct on (builds.service_month)
            builds.service_month,
            builds.prepared_by,
            builds.triggered_by
        from audit.builds
        order by builds.service_month, builds.models_started_at is not null desc, builds.build_number desc
    ),

    of_months as (
        select
            'held_month' as kind,
            format('%s|%s', months.contract_id, to_char(months.service_month, 'YYYY-MM')) as subject,
            months.held_digest as subject_digest,
            format(
                '%s s of unknown time: uptime %s %% if it was up, %s %% if it was down. '
                'Approve: it counts as downtime; reject: as up.',
                trim_scale(months.unknown_seconds), trim_scale(months.uptime_percent),
                trim_scale(months.uptime_percent_low)
            ) as description,
            months.service_month
        from only marts.fct_account_months as months
        where coalesce(of_kind, 'held_month') = 'held_month' and months.status = 'held'
        union all
        select
            'claim',
            claims.decision_subject,
            claims.decision_digest,
            format(
                'Complete at %s, not before the deadline %s, but sent before it. '
                'Approve: the claim is accepted; reject: it is not.',
                to_jsonb(claims.complete_at) #>> '{}', to_jsonb(claims.deadline_at) #>> '{}'
            ),
            claims.service_month
        from only marts.fct_claims as claims
        where coalesce(of_kind, 'claim') = 'claim' and claims.status = 'needs_review'
        union all
        select
            'decrease',
            due.decision_subject,
            due.decision_digest,
            format(
                '%s %s overpaid. %s. Approve: an adjustment takes it back; reject: the customer keeps it.',
                trim_scale(-due.amount), due.currency, due.reason
            ),
            due.service_month
        from (select distinct lines.service_month from billing.credit_line_items as lines) as posted
        -- From when it would apply, nobody is asked.
        cross join lateral billing.lines_due(posted.service_month, 'epoch') as due
        where coalesce(of_kind, 'decrease') = 'decrease' and due.amount < 0 and due.is_exact
    ),

    in_force as (
        select
            objects.feed,
            sum(objects.rows_read) as rows_read,
            sum(objects.rows_quarantined) as rows_quarantined
        from gate.objects
        where coalesce(of_kind, 'quarantine_limit') = 'quarantine_limit'
        group by objects.feed
    ),

    last_records as (
        select distinct on (validations.service_month)
            validations.run_id,
            validations.quarantine
        from audit.validations
        where validations.gate = 'raw'
        order by validations.service_month, validations.validation_number desc
    )

    select
        of_months.kind,
        of_months.subject,
        of_months.subject_digest,
        of_months.description,
        coalesce(standing.prepared_by, 'schedule'),
        standing.triggered_by
    from of_months
    left join standing on of_months.service_month = standing.service_month
    union all
    select
        'quarantine_limit',
        in_force.feed,
        encode(
            sha256(convert_to(concat_ws('|', in_force.feed, in_force.rows_read, in_force.rows_quarantined), 'UTF8')), 'hex'
        ),
        format(
            '%s of %s rows are quarantined; the limit is %s percent', in_force.rows_quarantined, in_force.rows_read,
            last_records.quarantine ->> 'limit_percent'
        ),
        builds.prepared_by,
        builds.triggered_by
    from last_records
    inner join audit.builds on last_records.run_id = builds.run_id
    cross join lateral jsonb_to_recordset(last_records.quarantine -> 'feeds') as counted (
        feed text, rows_read numeric, rows_quarantined numeric
    )
    inner join in_force
        on
            counted.feed = in_force.feed
            and counted.rows_read = in_force.rows_read
            and counted.rows_quarantined = in_force.rows_quarantined
    where
        in_force.rows_read >= 100
        and 100 * in_force.rows_quarantined
        > (last_records.quarantine ->> 'limit_percent')::numeric * in_force.rows_read
$$;

alter table audit.decisions add column triggered_by text;
alter table audit.decisions add constraint decisions_by_another_account
check (triggered_by is null or audit.person(decided_by) <> audit.person(triggered_by));

-- On what waits with exactly these figures, and on nothing else. What stands already is returned, and nothing is written.
-- Goodwill never waits: it is approved in another way.
drop function audit.record_decision;
create function audit.record_decision(
    given_kind text,
    given_subject text,
    given_digest text,
    given_approval boolean,
    given_by text,
    given_because text,
    given_via text
) returns table (is_new boolean, is_approved boolean, decided_by text, because text, decided_at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    if given_kind = 'goodwill' then
        raise insufficient_privilege using
            message = format('goodwill is approved with its line alone: %s', given_subject),
            hint = 'Give it with `sla goodwill`.';
    end if;
    return query
    insert into audit.decisions as held (
        kind, subject, subject_digest, is_approved, decided_by, because, prepared_by, triggered_by, via
    )
    select
        given_kind, given_subject, given_digest, given_approval, given_by, given_because,
        asked.prepared_by, asked.triggered_by, given_via
    from (
        select
            questions.prepared_by,
            questions.triggered_by
        from audit.questions(given_kind) as questions
        where questions.subject = given_subject and questions.subject_digest = given_digest
        -- Of several who prepared it the one who decides, whom the table refuses.
        order by
            audit.person(given_by) = audit.person(questions.prepared_by) desc,
            coalesce(audit.person(given_by) = audit.person(questions.triggered_by), false) desc
        limit 1
    ) as asked
    on conflict on constraint decisions_once do nothing
    returning true, held.is_approved, held.decided_by, held.because, held.decided_at;
    if not found then
        return query
        select false, held.is_approved, held.decided_by, held.because, held.decided_at
        from audit.decisions as held
        where held.kind = given_kind and held.subject = given_subject and held.subject_digest = given_digest;
        if not found then
            raise object_not_in_prerequisite_state using
                message = format('No %s waits under %s with these figures', given_kind, given_subject),
                hint = '`sla pending` lists what waits.';
        end if;
    end if;
end
$$;
drop function audit.preparer;

-- The approval of a goodwill line, by its idempotency key; the line comes in the same transaction.
create function audit.record_goodwill(
    given_key text,
    given_digest text,
    given_by text,
    given_because text,
    given_preparer text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into audit.decisions (
        kind, subject, subject_digest, is_approved, decided_by, because, prepared_by, via
    )
    values ('goodwill', given_key, given_digest, true, given_by, given_because, given_preparer, 'cli');
end
$$;

-- Within record_decision and record_goodwill, which are the owner's, the current user is the owner and the session's is
-- not: a fact that no text of a statement changes. Whoever inserts by itself is the owner in both, or in neither.
create or replace function audit.refuse_other_ways() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if
        current_user <> 'sla_owner'
        or coalesce(nullif(current_setting('role'), 'none'), session_user) = 'sla_owner'
    then
        raise object_not_in_prerequisite_state using
            message = format(
                'INSERT on audit.decisions by %s is refused: audit.record_decision and audit.record_goodwill alone'
                ' write it', current_user
            ),
            hint = 'Decide with `sla approve`, `sla reject`, or in Airflow''s page (decide_pending).';
    end if;
    return new;
end
$$;

-- An approval of goodwill without a line would keep that line from whoever gives it next. The line is checked by itself.
create function audit.require_goodwill_line() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select
        from billing.credit_line_items as lines
        where lines.entry_type = 'goodwill' and lines.idempotency_key = new.subject
    ) then
        raise check_violation using
            message = format('Approval of goodwill %s by %s is refused: its line is missing', new.subject, new.decided_by),
            hint = 'Nothing was recorded. Give goodwill with `sla goodwill`.';
    end if;
    return null;
end
$$;
create constraint trigger decisions_goodwill_has_its_line after insert on audit.decisions
deferrable initially deferred for each row when (new.kind = 'goodwill')
execute function audit.require_goodwill_line();
alter table audit.decisions enable always trigger decisions_goodwill_has_its_line;

-- Who may append a posting may not append one of any kind: months are the biller's, goodwill its own role's.
create function billing.keep_kind() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    poster constant text := case new.kind when 'goodwill' then 'sla_goodwill' else 'sla_biller' end;
begin
    if not pg_has_role(current_user, poster, 'MEMBER') then
        raise insufficient_privilege using
            message = format(
                'Posting %s of run %s is refused: %s may append none of kind %s, which is %s''s', new.posting_number,
                new.run_id, current_user, new.kind, poster
            ),
            hint = 'Post a month with `sla run --close`, goodwill with `sla goodwill`.';
    end if;
    return new;
end
$$;
create trigger postings_of_their_kind before insert on billing.postings
for each row execute function billing.keep_kind();
alter table billing.postings enable always trigger postings_of_their_kind;

revoke execute on function audit.person from sla_biller; -- for goodwill, which was its own
grant execute on function audit.record_decision, audit.questions to sla_approver;
grant execute on function audit.record_goodwill to sla_goodwill;
