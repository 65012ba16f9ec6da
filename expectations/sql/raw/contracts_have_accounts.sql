with

population as (
    select * from gate.contracts_of_the_month
),

final as (
    select
        population.contract_id as subject,
        concat('account ', population.account_id, ' is unknown') as detail
    from population
    where not exists (
        select 1
        from gate.accounts
        where accounts.account_id = population.account_id
    )
)

select * from final
order by subject
