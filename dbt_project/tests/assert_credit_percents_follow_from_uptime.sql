-- Fails if an availability credit's percent is not that of the lowest tier that
-- the stored uptime is under (rule U3): the customer would get another cent.
with

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

account_months as (
    select * from {{ ref('fct_account_months') }}
),

credits as (
    select * from {{ ref('fct_credits') }}
),

versions as (
    select * from {{ ref('stg_terms__versions') }}
),

expected as (
    select
        account_months.contract_id,
        account_months.service_month,
        account_months.uptime_percent,
        account_months.guaranteed,
        (
            array_agg(
                (tiers.tier ->> 'percent')::numeric
                order by (tiers.tier ->> 'below')::numeric
            ) filter (
                where account_months.uptime_percent
                < (tiers.tier ->> 'below')::numeric
            )
        )[1] as tier_percent
    from account_months
    inner join build
        on account_months.service_month = build.service_month
    inner join versions
        on
            account_months.terms_id = versions.terms_id
            and account_months.terms_version = versions.terms_version
    left outer join
        lateral jsonb_array_elements(versions.credit_tiers)
            as tiers (tier)
        on true
    group by
        account_months.contract_id,
        account_months.service_month,
        account_months.uptime_percent,
        account_months.guaranteed
),

final as (
    select
        credits.contract_id,
        credits.credit_percent,
        expected.tier_percent,
        expected.uptime_percent
    from credits
    inner join expected
        on
            credits.contract_id = expected.contract_id
            and credits.service_month = expected.service_month
    where
        credits.basis = 'availability'
        and credits.credit_percent
        <> case
            when expected.guaranteed then coalesce(expected.tier_percent, 0)
            else 0
        end
)

select * from final
