-- Rules P2, P3, P5, reckoned from `raw` alone.
with

row_counts as (
    select
        fct_account_months.contract_id,
        count(*) as row_count
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
    group by fct_account_months.contract_id
),

contracts as (
    select contracts_of_the_month.contract_id
    from gate.contracts_of_the_month
    where not contracts_of_the_month.is_sandbox
),

population as (
    select
        contracts.contract_id is not null as is_active,
        coalesce(contracts.contract_id, row_counts.contract_id) as contract_id,
        coalesce(row_counts.row_count, 0) as row_count
    from contracts
    full outer join row_counts on contracts.contract_id = row_counts.contract_id
),

final as (
    select
        population.contract_id as subject,
        concat(
            population.row_count,
            ' account-months for a contract that is ',
            case when not population.is_active then 'not ' end,
            'active in the month'
        ) as detail
    from population
    where not population.is_active or population.row_count <> 1
)

select * from final
order by subject
