-- Rule D7. A tier of a lower `below` has the higher percent (rule T4), so the
-- one that applies is the highest; a decided month has no unknown time left.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

population as (
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
    left outer join raw.terms_versions
        on
            account_months.terms_id = terms_versions.terms_id
            and account_months.terms_version = terms_versions.terms_version
),

final as (
    select
        population.contract_id as subject,
        concat(
            'measured, but ',
            population.unknown_seconds,
            ' s unknown decide between ',
            population.tier_percent,
            ' and ',
            population.tier_percent_low,
            ' percent'
        ) as detail
    from population
    where
        population.guaranteed
        and population.status = 'measured'
        and population.unknown_seconds > 0
        and population.tier_percent <> population.tier_percent_low
)

select * from final
order by subject
