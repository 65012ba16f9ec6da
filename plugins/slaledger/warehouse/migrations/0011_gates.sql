-- The gates' own: what they read that several claims share, the list of what a gate must evaluate, and what a record of
-- it must be to count. By other SQL than the models': a second opinion that shares code with the first is none.
do $$
declare
    migrating constant text := current_user; -- the owner of what is there may not make a schema
begin
    perform set_config('role', 'none', true);
    create schema gate authorization sla_owner;
    perform set_config('role', migrating, true);
end
$$;

-- The objects in force. Where two speak of one key, the later in (`exported_at`, `key_bytes`, line) wins.
create view gate.objects as
select source_objects.*, convert_to(source_objects.key, 'UTF8') as key_bytes
from raw.source_objects
where source_objects.is_in_force;

create view gate.accounts as
select distinct on (accounts.account_id) accounts.*
from raw.accounts
inner join gate.objects on accounts.object_id = objects.object_id
order by accounts.account_id, objects.exported_at desc, objects.key_bytes desc, accounts.line_number desc;

create view gate.contracts as
select distinct on (contracts.contract_id) contracts.*
from raw.contracts
inner join gate.objects on contracts.object_id = objects.object_id
order by contracts.contract_id, objects.exported_at desc, objects.key_bytes desc, contracts.line_number desc;

create view gate.components as
select distinct components.component_id, components.service, components.region
from raw.components
inner join gate.objects on components.object_id = objects.object_id;

-- The service month of the current build in the zone of each terms id (rule P1), which all its versions share (T4).
create view gate.months as
select
    terms_versions.terms_id,
    raw.start_of_day(current_build.service_month, min(terms_versions.time_zone)) as starts_at,
    raw.start_of_day(
        (current_build.service_month + interval '1 month')::date, min(terms_versions.time_zone)
    ) as ends_at
from raw.terms_versions
cross join audit.current_build
group by terms_versions.terms_id, current_build.service_month;

-- The service month in whatever zone: none is further from UTC than 14 hours.
create view gate.month_bounds as
select
    current_build.as_of,
    current_build.service_month::timestamp at time zone 'UTC' - interval '14 hours' as starts_at,
    (current_build.service_month + interval '1 month') at time zone 'UTC' + interval '14 hours' as ends_at
from audit.current_build;

-- The contracts that are active, suspended or not, in the service month before the as-of time (rules P1, P2), and when.
create view gate.contracts_of_the_month as
select periods.*, tstzrange(periods.active_from, periods.active_until) as active
from (
    select
        contracts.*,
        accounts.is_sandbox is true as is_sandbox,
        greatest(
            contracts.starts_at,
            coalesce(months.starts_at, current_build.service_month::timestamp at time zone 'UTC')
        ) as active_from,
        least(
            contracts.ends_at,
            coalesce(months.ends_at, (current_build.service_month + interval '1 month') at time zone 'UTC'),
            current_build.as_of
        ) as active_until
    from gate.contracts
    cross join audit.current_build
    left join gate.months on contracts.terms_id = months.terms_id
    left join gate.accounts on contracts.account_id = accounts.account_id
) as periods
where periods.active_from < periods.active_until;

-- What each gate must evaluate, and on rows: the list of `expectations/`, held here so that neither its absence nor a
-- shorter one can pass. A change there comes with a migration that says the same here.
create table gate.expectations (
    gate text not null check (gate in ('raw', 'marts')),
    name text not null,
    severity text not null check (severity in ('critical', 'critical_on_closing', 'warning')),
    may_be_empty boolean not null, -- it may have had no rows to look at; `expectations/` says why
    only_with text, -- but only where this one had none either
    primary key (gate, name),
    foreign key (gate, only_with) references gate.expectations (gate, name)
);
insert into gate.expectations (gate, name, severity, may_be_empty, only_with)
values
('raw', 'standard_terms_are_published', 'critical', false, null),
('raw', 'event_feeds_and_fees_reach_the_end_of_the_month', 'critical_on_closing', false, null),
('raw', 'quarantined_shares_are_within_the_limit', 'critical_on_closing', true, 'landed_rows_match_the_counts_of_their_objects'),
('raw', 'components_of_incidents_are_mapped', 'critical', true, null),
('raw', 'components_of_notices_are_mapped', 'critical', true, null),
('raw', 'terms_documents_pass_the_lint', 'critical', true, null),
('raw', 'overlapping_checks_are_settled', 'critical', true, null),
('raw', 'checks_are_judged_by_the_catalog_in_force', 'critical', true, null),
('raw', 'landed_rows_match_the_counts_of_their_objects', 'critical', true, null),
('raw', 'bucket_has_exports', 'warning', false, null),
('raw', 'month_has_contracts', 'warning', false, null),
('raw', 'feeds_have_objects', 'warning', false, null),
('raw', 'objects_are_readable', 'warning', true, 'landed_rows_match_the_counts_of_their_objects'),
('raw', 'rows_are_usable', 'warning', true, 'landed_rows_match_the_counts_of_their_objects'),
('raw', 'checks_have_known_monitors', 'warning', true, null),
('raw', 'objects_in_force_are_not_deleted', 'warning', true, 'landed_rows_match_the_counts_of_their_objects'),
('raw', 'fees_have_contracts', 'warning', true, null),
('raw', 'contracts_have_accounts', 'warning', true, null),
('raw', 'contracts_have_regions_and_services_of_the_catalog', 'warning', true, 'contracts_have_accounts'),
('marts', 'contracts_of_the_month_have_one_account_month', 'critical', true, null),
('marts', 'measured_periods_are_those_of_the_contracts', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'seconds_add_up_to_the_measured_period', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'downtime_segments_add_up_to_the_account_months', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'downtime_segments_never_overlap', 'critical', true, null),
('marts', 'terms_versions_are_those_in_force', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'uptime_percents_are_within_bounds', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'uptime_percents_are_exact', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'uncertain_months_are_held', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'account_months_have_one_availability_credit', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'credit_percents_are_the_tiers_of_the_uptimes', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'credit_amounts_are_exact_to_the_minor_unit', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'credits_owed_are_of_ended_measured_months', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'credits_owed_are_guaranteed', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'credits_owed_have_an_accepted_claim', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'credits_owed_have_the_fee_as_billed', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'claims_are_in_one_state_per_contract', 'critical', true, null),
('marts', 'only_months_that_have_ended_are_closed', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'sandbox_accounts_have_no_rows', 'critical', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'months_are_neither_held_nor_blocked', 'warning', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'outcomes_do_not_depend_on_excluded_time', 'warning', true, 'contracts_of_the_month_have_one_account_month'),
('marts', 'tickets_are_measured', 'warning', true, null),
('marts', 'nothing_is_reported', 'warning', true, null);

-- The record: which login wrote it, and in which order. `expectations`: [{"name", "severity", "is_evaluated",
-- "is_success", "evaluated_rows", "unexpected", "detail", …}].
alter table audit.validations
add column validated_by text not null default session_user,
add column validation_number bigint generated always as identity unique,
add constraint validations_of_a_build foreign key (run_id) references audit.builds (run_id),
add constraint validations_list_expectations check (jsonb_typeof(expectations) = 'array');
alter table audit.validations alter column validated_by drop default;

-- What a record lacks that says success: no row if nothing.
create function gate.shortcomings(record audit.validations) returns setof text
language sql stable set search_path = pg_catalog, pg_temp as $$
    with

    build as (
        select builds.is_closing, builds.models_built_at
        from audit.builds
        where
            builds.run_id = record.run_id
            and builds.service_month = record.service_month
            and builds.as_of = record.as_of
    ),

    expected as (
        select
            expectations.name,
            expectations.may_be_empty,
            expectations.only_with,
            case
                when expectations.severity <> 'critical_on_closing' then expectations.severity
                when build.is_closing then 'critical'
                else 'warning'
            end as severity
        from gate.expectations
        cross join build
        where expectations.gate = record.gate
    ),

    entries as (
        select *
        from jsonb_to_recordset(record.expectations) as entries (
            name text, severity text, is_evaluated boolean, is_success boolean, evaluated_rows bigint, unexpected bigint
        )
    ),

    judged as (
        select
            expected.name,
            case
                when entries.name is null then 'is missing'
                when entries.severity is distinct from expected.severity
                    then format('is of severity %s, not %s', coalesce(entries.severity, 'none'), expected.severity)
                when entries.is_evaluated is not true then 'was not evaluated'
                when coalesce(entries.evaluated_rows, 0) <= 0 and not expected.may_be_empty
                    then 'was evaluated on no rows'
                when coalesce(entries.evaluated_rows, 0) <= 0 and others.evaluated_rows > 0
                    then format('was evaluated on no rows, and %s on %s', others.name, others.evaluated_rows)
                when entries.unexpected is null or entries.is_success is distinct from (entries.unexpected = 0)
                    then 'contradicts itself'
                when expected.severity = 'critical' and not entries.is_success then 'does not hold'
            end as shortcoming
        from expected
        left join entries on expected.name = entries.name
        left join entries as others on expected.only_with = others.name
    )

    select 'it is of no build: its run, month and as-of time are not those of one'
    where not exists (select from build)
    union all
    select 'dbt did not get through the models of its run'
    from build
    where record.gate = 'marts' and build.models_built_at is null
    union all
    select format('%s is not on the list', coalesce(entries.name, 'an expectation without a name'))
    from entries
    where not exists (select from expected where expected.name = entries.name)
    union all
    select format('%s is listed %s times', entries.name, count(*))
    from entries
    group by entries.name
    having count(*) > 1
    union all
    select format('%s %s', judged.name, judged.shortcoming)
    from judged
    where judged.shortcoming is not null
$$;

-- Why a month may not be posted on a record: no row if it may. dbt builds the models between the gates: of exports that
-- were validated before it, and validated after it.
create function gate.objections(record audit.validations) returns setof text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select shortcomings
    from gate.shortcomings(record)
    union all
    select case record.gate
        when 'raw' then 'dbt has not built the models since these exports were validated'
        else 'dbt built the models again since'
    end
    from audit.builds
    where
        builds.run_id = record.run_id
        and not coalesce(
            case record.gate
                when 'raw' then
                    exists (
                        select
                        from audit.validations as others
                        where
                            (others.run_id, others.gate) = (record.run_id, record.gate)
                            and others.candidate_sha256 = record.candidate_sha256
                            and others.is_success
                            and others.evaluated_at < builds.models_built_at
                    )
                else record.evaluated_at > builds.models_built_at
            end,
            false
        )
$$;

create function gate.keep_validation() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    found text;
begin
    if current_user <> 'sla_validator' then
        raise insufficient_privilege using
            message = format('%s may not write into audit.validations: the gates do, as sla_validator', current_user),
            hint = 'Run the month with `sla run`: its gates leave the record.';
    end if;
    new.validated_by := session_user;
    new.evaluated_at := clock_timestamp();
    if new.is_success then
        select string_agg(shortcomings, '; ') into found from gate.shortcomings(new);
        if found is not null then
            raise check_violation using
                message = format(
                    'A record of the %s gate of run %s cannot say success: %s', new.gate, new.run_id, found
                ),
                hint = 'gate.expectations and `expectations/` list what a gate must evaluate: run the month again with'
                ' the code of the migrations that the database is at.';
        end if;
    end if;
    return new;
end
$$;
create trigger validations_keep before insert on audit.validations
for each row execute function gate.keep_validation();
create trigger validations_append_only before update or delete or truncate on audit.validations
for each statement execute function audit.refuse_change();
alter table audit.validations enable always trigger validations_keep;
alter table audit.validations enable always trigger validations_append_only;

alter view gate.objects owner to sla_owner;
alter view gate.accounts owner to sla_owner;
alter view gate.contracts owner to sla_owner;
alter view gate.components owner to sla_owner;
alter view gate.months owner to sla_owner;
alter view gate.month_bounds owner to sla_owner;
alter view gate.contracts_of_the_month owner to sla_owner;
alter table gate.expectations owner to sla_owner;
alter function gate.shortcomings owner to sla_owner;
alter function gate.objections owner to sla_owner;
alter function gate.keep_validation owner to sla_owner;
revoke execute on all functions in schema gate from public;
grant usage on schema gate to sla_validator, sla_approver, sla_biller, sla_auditor;
grant select on all tables in schema gate to sla_validator, sla_auditor;
grant select on gate.objects to sla_approver;
grant select on gate.expectations to sla_biller;
grant execute on function gate.shortcomings, gate.objections to sla_validator, sla_biller, sla_auditor;
