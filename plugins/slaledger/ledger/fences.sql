-- Grain: an object of the database that keeps the books as they are, and all that it is: nothing of it depends on who
-- migrated, on object ids or on the session. With `search_path` set to nothing but pg_catalog.
with

roles as (
    select pg_roles.*
    from pg_roles
    where
        pg_roles.rolname in (
            'sla_owner', 'sla_loader', 'sla_transformer', 'sla_validator', 'sla_approver', 'sla_biller', 'sla_relay',
            'sla_auditor', 'sla_goodwill'
        )
),

schemas as (
    select pg_namespace.oid, pg_namespace.nspname, pg_namespace.nspowner, pg_namespace.nspacl
    from pg_namespace
    where pg_namespace.nspname in ('raw', 'audit', 'billing', 'gate', 'marts', 'reference')
),

-- Also those whose tables are dbt's.
all_schemas as (
    select pg_namespace.oid, pg_namespace.nspname, pg_namespace.nspowner, pg_namespace.nspacl
    from pg_namespace
    where
        pg_namespace.nspname in (
            'raw', 'audit', 'billing', 'gate', 'staging', 'intermediate', 'marts', 'reference'
        )
),

relations as (
    select
        pg_class.*,
        format('%I.%I', schemas.nspname, pg_class.relname) as name
    from schemas
    inner join pg_class on schemas.oid = pg_class.relnamespace
    where pg_class.relkind not in ('i', 'I', 'c')
),

functions as (
    select
        pg_proc.*,
        format('%I.%I', all_schemas.nspname, pg_proc.proname) as name
    from all_schemas
    inner join pg_proc on all_schemas.oid = pg_proc.pronamespace
),

granted as (
    select 'r' as kind, relations.oid, 0 as column_number, relations.relowner as owner, acl.*
    from relations
    cross join lateral aclexplode(relations.relacl) as acl
    union all
    select 'r', relations.oid, pg_attribute.attnum, relations.relowner, acl.*
    from relations
    inner join pg_attribute on relations.oid = pg_attribute.attrelid
    cross join lateral aclexplode(pg_attribute.attacl) as acl
    union all
    select 'f', functions.oid, 0, functions.proowner, acl.*
    from functions
    cross join lateral aclexplode(coalesce(functions.proacl, acldefault('f', functions.proowner))) as acl
    union all
    select 's', all_schemas.oid, 0, all_schemas.nspowner, acl.*
    from all_schemas
    cross join lateral aclexplode(all_schemas.nspacl) as acl
    union all
    select 'd', pg_database.oid, 0, null, acl.*
    from pg_database
    cross join lateral aclexplode(coalesce(pg_database.datacl, acldefault('d', pg_database.datdba))) as acl
    where
        pg_database.datname = current_database()
        -- Whoever migrates may own the database, or make schemas in it; and connecting alone changes nothing.
        and (acl.grantee = 0 or acl.grantee in (select roles.oid from roles))
    union all
    select 'p', pg_default_acl.oid, 0, null, acl.*
    from pg_default_acl
    cross join lateral aclexplode(pg_default_acl.defaclacl) as acl
),

-- Somebody else who may only read changes nothing.
grants as (
    select
        granted.kind,
        granted.oid,
        string_agg(
            format(
                '%s %s%s%s',
                coalesce(pg_roles.rolname, 'public'),
                granted.privilege_type,
                coalesce('(' || pg_attribute.attname || ')', ''),
                case when granted.is_grantable then ' with grant option' else '' end
            ),
            ', '
            order by
                coalesce(pg_roles.rolname, 'public') collate "C",
                granted.privilege_type collate "C",
                pg_attribute.attname collate "C"
        ) as list
    from granted
    left join pg_roles on granted.grantee = pg_roles.oid
    left join pg_attribute
        on granted.kind = 'r' and granted.oid = pg_attribute.attrelid and granted.column_number = pg_attribute.attnum
        and granted.column_number > 0
    where
        granted.grantee is distinct from granted.owner
        and (
            granted.privilege_type not in ('SELECT', 'USAGE')
            or granted.grantee = 0
            or granted.grantee in (select roles.oid from roles)
        )
    group by granted.kind, granted.oid
),

column_lists as (
    select
        relations.oid,
        string_agg(
            concat_ws(
                ' ',
                pg_attribute.attname,
                format_type(pg_attribute.atttypid, pg_attribute.atttypmod),
                case when pg_attribute.attnotnull then 'not null' end,
                case
                    when exists (
                        select
                        from pg_constraint
                        where
                            pg_constraint.conrelid = relations.oid
                            and pg_constraint.contype = 'n'
                            and not pg_constraint.convalidated
                            and pg_constraint.conkey = array[pg_attribute.attnum]
                    ) then '(not validated)'
                end,
                'default ' || pg_get_expr(pg_attrdef.adbin, pg_attrdef.adrelid),
                'identity ' || nullif(pg_attribute.attidentity::text, ''),
                'generated ' || nullif(pg_attribute.attgenerated::text, ''),
                case
                    when pg_attribute.attcollation not in (0, 'pg_catalog."default"'::regcollation)
                        then 'collate ' || pg_attribute.attcollation::regcollation::text
                end
            ),
            ', ' order by pg_attribute.attname collate "C"
        ) as list
    from relations
    inner join pg_attribute on relations.oid = pg_attribute.attrelid
    left join pg_attrdef
        on pg_attribute.attrelid = pg_attrdef.adrelid and pg_attribute.attnum = pg_attrdef.adnum
    where pg_attribute.attnum > 0 and not pg_attribute.attisdropped
    group by relations.oid
),

final as (
    select
        'schema ' || all_schemas.nspname as object,
        concat_ws('; ', 'owner ' || pg_get_userbyid(all_schemas.nspowner), grants.list) as definition
    from all_schemas
    left join grants on grants.kind = 's' and all_schemas.oid = grants.oid
    union all
    select
        case relations.relkind when 'v' then 'view ' when 'S' then 'sequence ' else 'table ' end || relations.name,
        concat_ws(
            '; ',
            'kind ' || relations.relkind::text,
            'persistence ' || relations.relpersistence::text,
            'owner ' || pg_get_userbyid(relations.relowner),
            'options ' || array_to_string(relations.reloptions, ','),
            case when relations.relrowsecurity or relations.relforcerowsecurity then 'row level security' end,
            (
                select 'inherits with ' || string_agg(pg_inherits.inhrelid::regclass::text, ',')
                from pg_inherits
                where relations.oid in (pg_inherits.inhrelid, pg_inherits.inhparent)
            ),
            column_lists.list,
            (
                select
                    format(
                        'from %s to %s by %s, cached %s, starting at %s', pg_sequence.seqmin, pg_sequence.seqmax,
                        pg_sequence.seqincrement, pg_sequence.seqcache, pg_sequence.seqstart
                    )
                    || case when pg_sequence.seqcycle then ', again and again' else '' end
                from pg_sequence
                where relations.oid = pg_sequence.seqrelid
            ),
            'granted ' || grants.list,
            case when relations.relkind in ('v', 'm') then pg_get_viewdef(relations.oid) end
        )
    from relations
    left join column_lists on relations.oid = column_lists.oid
    left join grants on grants.kind = 'r' and relations.oid = grants.oid
    union all
    select
        format('constraint %I on %s', pg_constraint.conname, relations.name),
        concat_ws(
            '; ',
            pg_get_constraintdef(pg_constraint.oid),
            case when not pg_constraint.convalidated then 'not validated' end,
            (
                select 'checked by triggers of state ' || string_agg(distinct pg_trigger.tgenabled::text, ',')
                from pg_trigger
                where pg_trigger.tgconstraint = pg_constraint.oid and pg_trigger.tgisinternal
            )
        )
    from relations
    inner join pg_constraint on relations.oid = pg_constraint.conrelid
    -- From PostgreSQL 18 on, what is not null is one, too; its column says so. A trigger is listed as such.
    where pg_constraint.contype not in ('n', 't')
    union all
    select
        format('trigger %I on %s', pg_trigger.tgname, relations.name),
        concat_ws(
            '; ',
            case pg_trigger.tgenabled
                when 'A' then 'enabled always'
                when 'O' then 'enabled, but not for replicas'
                when 'D' then 'disabled'
                else 'enabled for replicas alone'
            end,
            pg_get_triggerdef(pg_trigger.oid)
        )
    from relations
    inner join pg_trigger on relations.oid = pg_trigger.tgrelid
    where not pg_trigger.tgisinternal
    union all
    select
        format('rule %I on %s', pg_rewrite.rulename, relations.name),
        pg_get_ruledef(pg_rewrite.oid)
    from relations
    inner join pg_rewrite on relations.oid = pg_rewrite.ev_class
    where relations.relkind not in ('v', 'm')
    union all
    select
        format('policy %I on %s', pg_policy.polname, relations.name),
        concat_ws('; ', pg_policy.polcmd::text, pg_policy.polpermissive, pg_get_expr(pg_policy.polqual, pg_policy.polrelid))
    from relations
    inner join pg_policy on relations.oid = pg_policy.polrelid
    union all
    select
        format('index %s on %s', pg_index.indexrelid::regclass, relations.name),
        concat_ws(
            '; ',
            pg_get_indexdef(pg_index.indexrelid),
            case when not (pg_index.indisvalid and pg_index.indisready and pg_index.indislive) then 'not valid' end
        )
    from relations
    inner join pg_index on relations.oid = pg_index.indrelid
    where relations.relkind in ('r', 'p', 'm')
    union all
    select
        format('function %s(%s)', functions.name, pg_get_function_identity_arguments(functions.oid)),
        concat_ws(
            '; ',
            'owner ' || pg_get_userbyid(functions.proowner),
            'kind ' || functions.prokind::text,
            pg_get_function_arguments(functions.oid),
            'returns ' || pg_get_function_result(functions.oid),
            pg_language.lanname,
            'volatile ' || functions.provolatile::text,
            'parallel ' || functions.proparallel::text,
            case when functions.proisstrict then 'strict' end,
            case when functions.prosecdef then 'security definer' end,
            'set ' || array_to_string(functions.proconfig, ', '),
            'granted ' || grants.list,
            -- audit.person folds names by the best collation that the server has.
            regexp_replace(
                functions.prosrc, 'collate pg_catalog\.(pg_unicode_fast|"und-x-icu"|"default")', 'collate the best'
            ),
            pg_get_function_sqlbody(functions.oid)
        )
    from functions
    inner join pg_language on functions.prolang = pg_language.oid
    left join grants on grants.kind = 'f' and functions.oid = grants.oid
    union all
    select
        'role ' || roles.rolname,
        concat_ws(
            '; ',
            case when roles.rolsuper then 'superuser' end,
            case when roles.rolbypassrls then 'bypasses row level security' end,
            case when roles.rolcreaterole then 'makes roles' end,
            case when roles.rolcreatedb then 'makes databases' end,
            case when roles.rolreplication then 'replicates' end,
            case when roles.rolcanlogin then 'logs in' end,
            -- Who is a member of it is the deployer's: the logins.
            (
                select
                    'member of '
                    || string_agg(
                        pg_get_userbyid(pg_auth_members.roleid), ', '
                        order by pg_get_userbyid(pg_auth_members.roleid) collate "C"
                    )
                from pg_auth_members
                where roles.oid = pg_auth_members.member
            )
        )
    from roles
    union all
    select
        'grants on the database',
        grants.list
    from grants
    where grants.kind = 'd'
    union all
    select
        format(
            'default grants of %s on what it makes of kind %s%s', roles.rolname, pg_default_acl.defaclobjtype,
            coalesce(' in ' || pg_namespace.nspname, '')
        ),
        coalesce(grants.list, 'none')
    from pg_default_acl
    inner join roles on pg_default_acl.defaclrole = roles.oid
    left join pg_namespace on pg_default_acl.defaclnamespace = pg_namespace.oid
    left join grants on grants.kind = 'p' and pg_default_acl.oid = grants.oid
    union all
    select
        'event trigger ' || pg_event_trigger.evtname,
        concat_ws(
            '; ',
            pg_event_trigger.evtevent,
            pg_event_trigger.evtenabled::text,
            array_to_string(pg_event_trigger.evttags, ', '),
            pg_event_trigger.evtfoid::regprocedure::text
        )
    from pg_event_trigger
    union all
    -- What a session starts with, where it is more than how fast or how loud. Of a login, what our sessions do not set
    -- themselves.
    select
        format(
            'setting %s of %s', settings.name,
            case when settings.role_id = 0 then 'every session' else pg_get_userbyid(settings.role_id)::text end
        ),
        string_agg(settings.value, ', ' order by settings.value collate "C")
    from (
        select
            pg_db_role_setting.setrole as role_id,
            split_part(configured.setting, '=', 1) as name,
            substr(configured.setting, strpos(configured.setting, '=') + 1) as value
        from pg_db_role_setting
        cross join lateral unnest(pg_db_role_setting.setconfig) as configured (setting)
        where
            pg_db_role_setting.setdatabase in (
                0, (select pg_database.oid from pg_database where pg_database.datname = current_database())
            )
    ) as settings
    left join pg_settings on lower(settings.name) = lower(pg_settings.name)
    where
        coalesce(pg_settings.category, '')
        !~ '^(Resource Usage|Query Tuning|Reporting and Logging|Client Connection Defaults / Locale and Formatting)'
        and lower(settings.name) not in (
            'default_transaction_read_only', 'statement_timeout', 'lock_timeout', 'idle_session_timeout',
            'idle_in_transaction_session_timeout'
        )
        and (
            settings.role_id = 0
            or settings.role_id in (select roles.oid from roles)
            or (
                lower(settings.name) <> 'search_path'
                and exists (
                    select
                    from pg_auth_members
                    inner join roles on pg_auth_members.roleid = roles.oid
                    where settings.role_id = pg_auth_members.member
                )
            )
        )
    group by settings.name, settings.role_id
    union all
    select
        'rows of gate.expectations',
        string_agg(
            concat_ws(
                '|',
                expectations.gate,
                expectations.name,
                expectations.severity,
                expectations.may_be_empty,
                expectations.only_with
            ),
            ', ' order by expectations.gate collate "C", expectations.name collate "C"
        )
    from gate.expectations
    union all
    select
        format('currency %s of reference.currencies', currencies.currency),
        currencies.minor_units::text
    from reference.currencies
)

select
    final.object,
    final.definition
from final
order by final.object collate "C"
