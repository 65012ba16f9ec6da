-- Rule D7. A tier of a lower `below` has the higher percent (rule T4), so the
-- one that applies is the highest; a decided month has no unknown time left.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

tier_percents as (
    select
        account_months.*,
        (
            select coalesce(max((tiers.tier ->> 'percent')::numeric), 0)
            from
                jsonb_array_elements(terms_versions.credit_tiers)
                    as tiers (tier)
            where
                account_months.uptime_percent
                < (tiers.tier ->> 'below')::numeric
        ) as tier_percent,
        (
            select coalesce(max((tiers.tier ->> 'percent')::numeric), 0)
            from
                jsonb_array_elements(terms_versions.credit_tiers)
                    as tiers (tier)
            where
                account_months.uptime_percent_low
                < (tiers.tier ->> 'below')::numeric
        ) as tier_percent_low
    from account_months
    inner join raw.terms_versions
        on
            account_months.terms_id = terms_versions.terms_id
            and account_months.terms_version = terms_versions.terms_version
),

final as (
    select
        tier_percents.contract_id as subject,
        concat(
            'measured, but ',
            tier_percents.unknown_seconds,
            ' s unknown decide between ',
            tier_percents.tier_percent,
            ' and ',
            tier_percents.tier_percent_low,
            ' percent'
        ) as detail
    from tier_percents
    where
        tier_percents.guaranteed
        and tier_percents.status = 'measured'
        and tier_percents.unknown_seconds > 0
        and tier_percents.tier_percent <> tier_percents.tier_percent_low
)

select * from final
order by subject
