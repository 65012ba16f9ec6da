with

terms_versions as (
    select * from {{ source('raw', 'terms_versions') }}
),

final as (
    select
        terms_versions.terms_id,
        terms_versions.terms_version,
        terms_versions.effective_from,
        terms_versions.effective_until,
        terms_versions.object_id,
        terms_versions.extends_terms_id,
        terms_versions.extends_terms_version,
        terms_versions.inherited,
        terms_versions.landed_late as is_landed_late,
        terms_versions.plan,
        terms_versions.is_guaranteed,
        terms_versions.time_zone,
        terms_versions.commitment_percent,
        terms_versions.core_services,
        terms_versions.down_when,
        terms_versions.evidence,
        terms_versions.degraded_counts,
        terms_versions.partial_outage_counts,
        terms_versions.minimum_outage_seconds,
        terms_versions.excluded_time,
        terms_versions.thresholds_from,
        terms_versions.exclusion_categories,
        terms_versions.notice_seconds,
        terms_versions.notice_channels,
        terms_versions.credit_tiers,
        terms_versions.claims_required,
        terms_versions.claims_within_days,
        terms_versions.claims_must_include,
        terms_versions.counted_reply,
        terms_versions.calendar_id,
        terms_versions.calendar_time_zone,
        terms_versions.response_targets,
        terms_versions.response_credits,
        terms_versions.response_credit_cap_percent,
        terms_versions.document
    from terms_versions
)

select * from final
