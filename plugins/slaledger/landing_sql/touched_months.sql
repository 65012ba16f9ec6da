select '2026-01' as service_month where false and %(run_id)s is not null
