-- Rules U1, U2: the stored percent is the exact one cut after 12 decimals,
-- tested by multiplying, never by dividing.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

bases as (
    select
        account_months.*,
        terms_versions.credit_tiers,
        account_months.measured_seconds
        - case terms_versions.excluded_time
            when 'out_of_base' then account_months.excluded_seconds
            else 0
        end as base_seconds
    from account_months
    inner join raw.terms_versions
        on
            account_months.terms_id = terms_versions.terms_id
            and account_months.terms_version = terms_versions.terms_version
),

final as (
    select
        bases.contract_id as subject,
        concat_ws(
            ' ',
            'uptime',
            bases.uptime_percent,
            'counted',
            bases.counted_seconds,
            'of',
            bases.base_seconds
        ) as detail
    from bases
    where
        bases.base_seconds > 0
        and not coalesce(
            bases.uptime_percent * bases.base_seconds
            <= 100 * (bases.base_seconds - bases.counted_seconds)
            and (bases.uptime_percent + 0.000000000001) * bases.base_seconds
            > 100 * (bases.base_seconds - bases.counted_seconds)
            and scale(trim_scale(bases.uptime_percent)) <= 12,
            false
        )
)

select * from final
order by subject
