-- Grain: one scope, sound notice and terms version.
-- Rule X4: a granted window, less what later notices of its maintenance take.
with

scopes as (
    select * from {{ ref('int_scopes') }}
),

notices as (
    select * from {{ ref('int_maintenance_notices') }}
),

verdicts as (
    select * from {{ ref('int_notice_verdicts') }}
),

granted as (
    select
        scopes.scope_id,
        scopes.source_ids,
        verdicts.maintenance_id,
        verdicts.notice_id,
        verdicts.ordinal,
        verdicts.terms_version,
        verdicts.judged_window
    from scopes
    inner join verdicts
        on
            scopes.terms_id = verdicts.terms_id
            and {{ is_addressed_to(
                'verdicts.account_ids', 'notice', 'verdicts.notice_id',
                'scopes.source_ids'
            ) }}
    where verdicts.is_sound
),

taken as (
    select
        granted.scope_id,
        granted.notice_id,
        granted.terms_version,
        range_agg(notices.taken) as taken
    from granted
    inner join notices
        on
            granted.maintenance_id = notices.maintenance_id
            and granted.ordinal < notices.ordinal
            and {{ is_addressed_to(
                'notices.account_ids', 'notice', 'notices.notice_id',
                'granted.source_ids'
            ) }}
    group by granted.scope_id, granted.notice_id, granted.terms_version
),

final as (
    select
        granted.scope_id,
        granted.notice_id,
        granted.terms_version,
        granted.maintenance_id,
        granted.judged_window as granted_window,
        tstzmultirange(granted.judged_window)
        - coalesce(taken.taken, '{}'::tstzmultirange) as kept_windows
    from granted
    left outer join taken
        on
            granted.scope_id = taken.scope_id
            and granted.notice_id = taken.notice_id
            and granted.terms_version = taken.terms_version
)

select * from final
