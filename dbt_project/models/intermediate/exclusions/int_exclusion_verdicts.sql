-- Grain: one entry of the exclusion register, sound or not.
-- Rules X2 and X8, as of the build: what holds whatever the terms say.
with

entries as (
    select * from {{ ref('stg_exclusions__entries') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

measured as (
    select * from {{ ref('int_window') }}
),

judged as (
    select
        entries.*,
        tstzrange(entries.starts_at, entries.ends_at) as period,
        tstzrange(entries.starts_at, entries.ends_at)
        && tstzrange(measured.started_at, measured.ended_at) as is_in_reach,
        array_remove(
            array[
                case
                    when
                        entries.category not in (
                            'third_party_meta',
                            'third_party_messaging',
                            'third_party_ai',
                            'customer_connectivity',
                            'force_majeure'
                        )
                        then 'exclusion_category_not_in_register'
                end,
                case
                    when coalesce(btrim(entries.evidence_url), '') = ''
                        then 'exclusion_without_evidence'
                end,
                case
                    when
                        coalesce(btrim(entries.approved_by), '') = ''
                        or entries.approved_at is null
                        then 'exclusion_unapproved'
                    when entries.approved_at > build.as_of
                        then 'exclusion_approved_after_as_of'
                end,
                case
                    when
                        lower(btrim(entries.approved_by))
                        = lower(btrim(entries.author))
                        then 'exclusion_self_approved'
                end,
                case
                    when entries.revoked_at <= build.as_of
                        then 'exclusion_revoked'
                end,
                case
                    when
                        entries.category = 'customer_connectivity'
                        and cardinality(entries.account_ids) = 0
                        then 'exclusion_names_no_account'
                end
            ],
            null
        ) as reasons
    from entries
    cross join build
    cross join measured
),

final as (
    select
        judged.exclusion_id,
        judged.category,
        judged.services,
        judged.regions,
        judged.account_ids,
        judged.incident_ids,
        judged.period,
        judged.is_in_reach,
        judged.reasons,
        judged.object_id,
        judged.line_number,
        cardinality(judged.reasons) = 0 as is_sound
    from judged
)

select * from final
