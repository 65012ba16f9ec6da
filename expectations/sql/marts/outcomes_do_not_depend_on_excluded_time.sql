-- Rule U1.
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
        concat(
            'uptime ',
            account_months.uptime_percent,
            ', alternative ',
            account_months.uptime_percent_alternative
        ) as detail
    from account_months
    where account_months.outcome_sensitive
)

select * from final
order by subject
