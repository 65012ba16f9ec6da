-- Grain: one notice that carries a window, and terms version in force in it.
-- Rules X3, X4 and T3: each notice is judged on its own, by every version that
-- is in force somewhere in its window, whenever it was sent.
with

notices as (
    select * from {{ ref('int_maintenance_notices') }}
),

terms_versions as (
    select * from {{ ref('stg_terms__versions') }}
),

judged as (
    select
        notices.notice_id,
        notices.maintenance_id,
        notices.ordinal,
        notices.action,
        notices.account_ids,
        terms_versions.terms_id,
        terms_versions.terms_version,
        notices.lead_seconds,
        terms_versions.notice_seconds,
        notices.maintenance_window
        * tstzrange(
            terms_versions.effective_from, terms_versions.effective_until
        ) as judged_window,
        array_remove(
            array[
                case
                    when
                        'scheduled_maintenance'
                        <> all(terms_versions.exclusion_categories)
                        then 'maintenance_not_in_terms'
                end,
                case
                    when notices.channel <> all(terms_versions.notice_channels)
                        then 'notice_channel_not_accepted'
                end,
                case
                    when notices.lead_seconds < terms_versions.notice_seconds
                        then 'notice_too_late'
                end
            ],
            null
        ) as reasons
    from notices
    inner join terms_versions
        on
            notices.maintenance_window
            && tstzrange(
                terms_versions.effective_from, terms_versions.effective_until
            )
),

final as (
    select
        judged.notice_id,
        judged.terms_id,
        judged.terms_version,
        judged.maintenance_id,
        judged.ordinal,
        judged.action,
        judged.account_ids,
        judged.judged_window,
        judged.lead_seconds,
        judged.notice_seconds,
        judged.reasons,
        cardinality(judged.reasons) = 0 as is_sound
    from judged
)

select * from final
