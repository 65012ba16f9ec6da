-- When dbt last built and tested all models of this build; null: not yet, or not all. The marts gate asks for it:
-- a task that somebody marked as done has built nothing.
alter table audit.builds add column models_built_at timestamptz;
