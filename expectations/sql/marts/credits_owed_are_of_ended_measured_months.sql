-- Rules P4, D7, U4. A response-time credit is not held with its availability.
with

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
),

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

final as (
    select
        credits.contract_id as subject,
        concat(
            credits.basis,
            ' credit owed for an account-month that is ',
            coalesce(account_months.status, 'absent')
        ) as detail
    from credits
    left outer join account_months
        on credits.contract_id = account_months.contract_id
    where
        credits.status = 'owed'
        and not coalesce(
            account_months.status = 'measured'
            or (
                account_months.status = 'held'
                and credits.basis = 'response_time'
            ),
            false
        )
)

select * from final
order by subject, detail
