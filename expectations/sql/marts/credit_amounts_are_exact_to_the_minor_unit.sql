-- Rule U4: the amount is a whole number of minor units, half a unit at most
-- from percent x fee, and above it where exactly half.
with

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
),

population as (
    select
        credits.*,
        currencies.minor_units,
        power(10::numeric, currencies.minor_units) as units_of_one,
        100 * credits.amount
        - credits.credit_percent * credits.monthly_fee as hundredfold_excess
    from credits
    left outer join reference.currencies
        on credits.currency = currencies.currency
),

final as (
    select
        population.contract_id as subject,
        concat(
            population.basis,
            ': ',
            coalesce(population.amount::text, 'null'),
            ' ',
            population.currency,
            ' for ',
            population.credit_percent,
            ' percent of ',
            population.monthly_fee
        ) as detail
    from population
    where
        case
            when
                population.status
                in ('owed', 'eligible_unclaimed', 'expired')
                or population.amount > 0
                then
                    not coalesce(
                        population.amount >= 0
                        and population.amount * population.units_of_one
                        = trunc(population.amount * population.units_of_one)
                        and 2 * population.units_of_one
                        * population.hundredfold_excess
                        > -100
                        and 2 * population.units_of_one
                        * population.hundredfold_excess
                        <= 100,
                        false
                    )
            when population.status = 'not_eligible'
                then population.amount is distinct from 0
            when population.status in ('held', 'blocked')
                then population.amount is not null
            else coalesce(population.amount < 0, false)
        end
)

select * from final
order by subject, detail
