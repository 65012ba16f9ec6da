"""A fault for each critical expectation: what `clean_month.sql`'s month must look like for its gate to stop it."""

from __future__ import annotations

RAW = {
    "standard_terms_are_published": "delete from raw.terms_versions where terms_id = 'klink-growth'",
    "event_feeds_and_fees_reach_the_end_of_the_month": """
        update raw.source_objects set exported_at = '2026-03-31T23:59:59.999999Z' where feed = 'notices'
    """,
    "quarantined_shares_are_within_the_limit": """
        update raw.source_objects
        set rows_read = 101, rows_loaded = 90, rows_quarantined = 11 where feed = 'monitoring/checks';
        insert into raw.check_streaks
            (object_id, monitor_id, location, status, first_at, last_at, n, max_gap_seconds)
        select object_id, 'm-1', 'fra', 'up', '2026-03-01T00:00:00Z', '2026-03-01T01:29:00Z', 90, 60
        from raw.source_objects where feed = 'monitoring/checks';
        insert into raw.quarantined_rows (object_id, line_number, reason_code, reason, raw_record)
        select object_id, n, 'invalid_instant', 'checked_at has no offset', '{}'
        from raw.source_objects, generate_series(1, 11) as n where feed = 'monitoring/checks'
    """,
    "components_of_incidents_are_mapped": """
        update raw.incidents set component_ids = '{comp-new}' where incident_id = 'inc-1'
    """,
    "components_of_notices_are_mapped": "update raw.notices set component_ids = '{comp-dashboard,comp-new}'",
    "terms_documents_pass_the_lint": """
        insert into raw.source_objects (
            object_id, bucket, key, version_id, etag, sha256, size_bytes, exported_at, landed_at, feed, format,
            status, rows_read, rows_quarantined, last_modified, run_id
        )
        values (
            md5('terms')::uuid, 'exports', 'terms/custom.yml', 'v1', 'e', repeat('0', 64), 1, '2026-04-10T00:00:00Z',
            '2026-04-11T00:00:00Z', 'terms', 'yaml', 'loaded', 1, 1, '2026-04-11T00:00:00Z', 'landing'
        );
        insert into raw.quarantined_rows (object_id, line_number, reason_code, reason, raw_record)
        values (md5('terms')::uuid, 1, 'terms_fault', 'line 7: over 100', '{}')
    """,
    "overlapping_checks_are_settled": """
        insert into raw.check_spans (object_id, monitor_id, location, first_at, last_at, is_known)
        values
        (md5('monitoring/checks')::uuid, 'm-1', 'fra', '2026-03-01T00:00:00Z', '2026-03-01T01:00:00Z', true),
        (md5('notices')::uuid, 'm-1', 'fra', '2026-03-01T01:00:00Z', '2026-03-01T02:00:00Z', true)
    """,
    "checks_are_judged_by_the_catalog_in_force": """
        insert into raw.check_spans (object_id, monitor_id, location, first_at, last_at, is_known)
        values (md5('monitoring/checks')::uuid, 'm-1', 'fra', '2026-03-01T00:00:00Z', '2026-03-01T01:00:00Z', true)
    """,
    "landed_rows_match_the_counts_of_their_objects": "delete from raw.exclusions",
}

MARTS = {
    "contracts_of_the_month_have_one_account_month": """
        delete from marts.fct_account_months where contract_id = 'c-starter'
    """,
    "measured_periods_are_those_of_the_contracts": """
        update raw.contracts set ends_at = '2026-03-25T12:00:00Z' where contract_id = 'c-ent'
    """,
    "seconds_add_up_to_the_measured_period": """
        update marts.fct_account_months set unknown_seconds = measured_seconds - counted_seconds - 3599.999999
        where contract_id = 'c-ent'
    """,
    "downtime_segments_add_up_to_the_account_months": """
        update marts.fct_account_downtime set ended_at = ended_at - interval '1 microsecond'
        where contract_id = 'c-ent' and kind = 'counted'
    """,
    "downtime_segments_never_overlap": """
        insert into marts.fct_account_downtime
        select contract_id, service_month, started_at + interval '1 hour', ended_at, 'unknown', '{}', '{}', '{}'
        from marts.fct_account_downtime where contract_id = 'c-ent' and kind = 'counted'
    """,
    "terms_versions_are_those_in_force": """
        update raw.terms_versions set effective_from = '2026-03-02T00:00:00Z' where terms_id = 'klink-enterprise'
    """,
    "uptime_percents_are_within_bounds": """
        update marts.fct_account_months set uptime_percent_low = uptime_percent + 0.000000000001
        where contract_id = 'c-ent'
    """,
    "uptime_percents_are_exact": """
        update marts.fct_account_months
        set uptime_percent = uptime_percent + 0.000000000001, uptime_percent_low = 0 where contract_id = 'c-ent'
    """,
    "uncertain_months_are_held": """
        update marts.fct_account_months set unknown_seconds = 200000, uptime_percent_low = 91
        where contract_id = 'c-ent'
    """,
    "account_months_have_one_availability_credit": "delete from marts.fct_credits where contract_id = 'c-starter'",
    "credit_percents_are_the_tiers_of_the_uptimes": """
        update marts.fct_credits set credit_percent = 25, amount = 250 where contract_id = 'c-ent'
    """,
    "credit_amounts_are_exact_to_the_minor_unit": """
        update marts.fct_credits set amount = 100.01 where contract_id = 'c-ent'
    """,
    "response_credits_are_those_of_the_breaches": """
        insert into marts.fct_credits
        select
            account_id, contract_id, service_month, 'response_time', credit_percent, monthly_fee, currency, amount,
            status, reason, claim_id
        from marts.fct_credits where contract_id = 'c-ent'
    """,
    "credits_owed_are_of_ended_measured_months": """
        update marts.fct_account_months set status = 'held' where contract_id = 'c-ent'
    """,
    "credits_owed_are_guaranteed": "update raw.contracts set active_agreement = false where contract_id = 'c-ent'",
    "credits_owed_have_an_accepted_claim": "update marts.fct_claims set status = 'needs_review'",
    "credits_have_the_fee_as_billed": "update raw.fees set monthly_fee = 900 where contract_id = 'c-ent'",
    "claims_are_in_one_state_per_contract": "update marts.fct_claims set status = 'lost'",
    "only_months_that_have_ended_are_closed": """
        update audit.builds set as_of = '2026-03-31T23:59:59Z';
        update audit.current_build set as_of = '2026-03-31T23:59:59Z'
    """,
    "sandbox_accounts_have_no_rows": """
        update raw.accounts set is_sandbox = true where account_id = 'a-2'
    """,
}

FAULTS = {"raw": RAW, "marts": MARTS}
