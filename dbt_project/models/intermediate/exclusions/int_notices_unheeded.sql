-- Grain: one reason why the window of a notice is not excluded under a terms
-- version in use, and by no other notice of its maintenance either.
with

verdicts as (
    select * from {{ ref('int_notice_verdicts') }}
),

notices as (
    select * from {{ ref('int_maintenance_notices') }}
),

pairs as (
    select * from {{ ref('int_scope_pairs') }}
),

notice_pairs as (
    select * from {{ ref('int_notice_pairs') }}
),

-- Only where some scope sees what the notice is about, and is addressed.
failed as (
    select distinct verdicts.*
    from verdicts
    inner join notice_pairs on verdicts.notice_id = notice_pairs.notice_id
    inner join pairs
        on
            verdicts.terms_id = pairs.terms_id
            and verdicts.terms_version = pairs.terms_version
            and verdicts.judged_window && pairs.in_force
            and notice_pairs.service = pairs.service
            and notice_pairs.region = pairs.region
            and {{ is_addressed_to(
                'verdicts.account_ids', 'notice', 'verdicts.notice_id',
                'pairs.source_ids'
            ) }}
    where not verdicts.is_sound
),

-- A move leaves nothing of what came before it; a cut leaves what it names, and
-- whether that was announced in time is for the earlier notice to answer.
covered_by_peers as (
    select
        failed.notice_id,
        failed.terms_id,
        failed.terms_version,
        range_agg(peers.judged_window) as covered
    from failed
    inner join verdicts as peers
        on
            failed.maintenance_id = peers.maintenance_id
            and failed.terms_id = peers.terms_id
            and failed.terms_version = peers.terms_version
            and (peers.is_sound or failed.action = 'cut')
            and failed.notice_id <> peers.notice_id
            and (failed.ordinal <= peers.ordinal or failed.action <> 'move')
            and (
                cardinality(peers.account_ids) = 0
                or (
                    cardinality(failed.account_ids) > 0
                    and peers.account_ids @> failed.account_ids
                )
            )
    group by failed.notice_id, failed.terms_id, failed.terms_version
),

unheeded as (
    select
        failed.*,
        unnest(failed.reasons) as code
    from failed
    left outer join covered_by_peers
        on
            failed.notice_id = covered_by_peers.notice_id
            and failed.terms_id = covered_by_peers.terms_id
            and failed.terms_version = covered_by_peers.terms_version
    where
        covered_by_peers.covered is null
        or not (failed.judged_window <@ covered_by_peers.covered)
),

final as (
    select
        unheeded.code,
        unheeded.notice_id,
        notices.object_id,
        'Line ' || notices.line_number || ': the window of this '
        || unheeded.action || ' of ' || unheeded.maintenance_id
        || ' is not excluded under ' || unheeded.terms_id || ' version '
        || unheeded.terms_version || '; ' || case unheeded.code
            when 'maintenance_not_in_terms'
                then 'it does not list scheduled_maintenance.'
            when 'notice_channel_not_accepted'
                then 'it does not accept the channel ' || notices.channel || '.'
            else
                'sent ' || trim_scale(unheeded.lead_seconds)
                || ' seconds before its start, '
                || trim_scale(unheeded.notice_seconds) || ' are needed.'
        end as detail
    from unheeded
    inner join notices on unheeded.notice_id = notices.notice_id
)

select * from final
