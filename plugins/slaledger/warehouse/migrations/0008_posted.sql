-- When the ledger last posted the marts of this build's month as they stand; null: not since dbt began to replace them.
-- Where it is set, what the marts owe and what the lines add up to differ only by what waits.
alter table audit.builds add column posted_at timestamptz;
