-- Rules D7, U1, U6. NaN is above 100.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

final as (
    select
        account_months.contract_id as subject,
        concat_ws(
            ' ',
            'uptime',
            coalesce(account_months.uptime_percent::text, 'null'),
            'low',
            coalesce(account_months.uptime_percent_low::text, 'null'),
            'measured',
            account_months.measured_seconds
        ) as detail
    from account_months
    inner join raw.terms_versions
        on
            account_months.terms_id = terms_versions.terms_id
            and account_months.terms_version = terms_versions.terms_version
    where
        case
            when
                account_months.measured_seconds = 0
                or (
                    terms_versions.excluded_time = 'out_of_base'
                    and account_months.measured_seconds
                    = account_months.excluded_seconds
                )
                then account_months.uptime_percent is not null
            else
                not coalesce(
                    account_months.uptime_percent between 0 and 100
                    and coalesce(account_months.uptime_percent_low, 0)
                    between 0 and account_months.uptime_percent
                    and (
                        account_months.uptime_percent_low is not null
                        or account_months.unknown_seconds > 0
                    ),
                    false
                )
        end
)

select * from final
order by subject
