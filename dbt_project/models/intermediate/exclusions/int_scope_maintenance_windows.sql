-- Grain: one scope, sound notice about a pair that it sees, and terms version.
-- Rule X4: a granted window, less what later notices of its maintenance take.
with

pairs as (
    select * from {{ ref('int_scope_pairs') }}
),

notice_pairs as (
    select * from {{ ref('int_notice_pairs') }}
),

notices as (
    select * from {{ ref('int_maintenance_notices') }}
),

verdicts as (
    select * from {{ ref('int_notice_verdicts') }}
),

granted as (
    select distinct
        pairs.scope_id,
        pairs.source_ids,
        pairs.terms_version,
        verdicts.notice_id,
        verdicts.maintenance_id,
        verdicts.ordinal,
        verdicts.judged_window
    from verdicts
    inner join notice_pairs on verdicts.notice_id = notice_pairs.notice_id
    inner join pairs
        on
            verdicts.terms_id = pairs.terms_id
            and verdicts.terms_version = pairs.terms_version
            and notice_pairs.service = pairs.service
            and notice_pairs.region = pairs.region
            and {{ is_addressed_to(
                'verdicts.account_ids', 'notice', 'verdicts.notice_id',
                'pairs.source_ids'
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
    where not isempty(notices.taken)
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
