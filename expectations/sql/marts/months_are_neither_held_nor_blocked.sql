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
        concat_ws(': ', account_months.status, account_months.reason) as detail
    from account_months
    where account_months.status in ('held', 'blocked')
)

select * from final
order by subject
