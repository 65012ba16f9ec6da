-- Grain: one reason why an entry or a notice in reach excludes nothing, or less
-- than it says. Rules X1-X4, X8; the codes are in the folder's docs.
with

entries as (
    select * from {{ ref('int_exclusion_verdicts') }}
    where is_in_reach
),

unlisted as (
    select * from {{ ref('int_entries_outside_terms') }}
),

unknown_names as (
    select * from {{ ref('int_exclusion_unknown_names') }}
),

notices as (
    select * from {{ ref('int_notices_unheeded') }}
),

explained (code, text) as (
    values
    (
        'exclusion_category_not_in_register',
        'the register does not take its category'
    ),
    (
        'exclusion_without_evidence',
        'it has no evidence: give evidence_url'
    ),
    (
        'exclusion_unapproved',
        'it is not approved: approved_by and approved_at are both needed'
    ),
    (
        'exclusion_approved_after_as_of',
        'it was approved after the as-of time'
    ),
    (
        'exclusion_self_approved',
        'its author approved it: another person must'
    ),
    (
        'exclusion_revoked',
        'it was revoked, which voids the whole entry'
    ),
    (
        'exclusion_names_no_account',
        'customer_connectivity excludes only for accounts that it names'
    )
),

entry_reasons as (
    select
        entries.exclusion_id,
        entries.object_id,
        entries.line_number,
        unnest(entries.reasons) as code
    from entries
),

final as (
    select
        entry_reasons.code,
        entry_reasons.exclusion_id as subject,
        entry_reasons.object_id,
        'Line ' || entry_reasons.line_number || ': the entry excludes nothing; '
        || explained.text || '.' as detail
    from entry_reasons
    inner join explained on entry_reasons.code = explained.code
    union all
    select
        'exclusion_category_not_in_terms' as code,
        unlisted.exclusion_id as subject,
        unlisted.object_id,
        'Line ' || unlisted.line_number || ': the entry excludes nothing under '
        || unlisted.terms_id || ' version ' || unlisted.terms_version
        || ', which does not list ' || unlisted.category || '.' as detail
    from unlisted
    union all
    select
        unknown_names.code,
        unknown_names.subject,
        unknown_names.object_id,
        unknown_names.detail
    from unknown_names
    union all
    select
        notices.code,
        notices.notice_id as subject,
        notices.object_id,
        notices.detail
    from notices
)

select * from final
