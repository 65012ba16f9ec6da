-- Who asked for a build: the person that Airflow or `sla run` names, or `schedule`. Who prepared figures does not decide
-- on them; whose figures of a month stand is told by when dbt last began to replace them.
alter table audit.builds add column prepared_by text not null default 'unknown' check (btrim(prepared_by) <> '');
alter table audit.builds alter column prepared_by drop default;
alter table audit.builds add column models_started_at timestamptz;
grant update (models_started_at) on audit.builds to sla_transformer;
