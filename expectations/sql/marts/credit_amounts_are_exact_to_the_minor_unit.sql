-- Rule U4: the amount is a whole number of minor units, half a unit at most
-- from percent x fee, and above it where exactly half.
with

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
),

units as (
    select
        credits.*,
        currencies.minor_units,
        credits.credit_percent * credits.monthly_fee as hundredfold_amount,
        power(10::numeric, currencies.minor_units) as units_of_one
    from credits
    left outer join reference.currencies
        on credits.currency = currencies.currency
),

final as (
    select
        units.contract_id as subject,
        concat(
            units.basis,
            ': ',
            coalesce(units.amount::text, 'null'),
            ' ',
            units.currency,
            ' for ',
            units.credit_percent,
            ' percent of ',
            units.monthly_fee
        ) as detail
    from units
    where
        case
            when
                units.status
                in ('owed', 'eligible_unclaimed', 'expired')
                or units.amount > 0
                then
                    not coalesce(
                        units.amount >= 0
                        and units.amount * units.units_of_one
                        = trunc(units.amount * units.units_of_one)
                        and 2 * units.units_of_one
                        * (100 * units.amount - units.hundredfold_amount)
                        > -100
                        and 2 * units.units_of_one
                        * (100 * units.amount - units.hundredfold_amount)
                        <= 100,
                        false
                    )
            when units.status = 'not_eligible'
                then units.amount is distinct from 0
            when units.status in ('held', 'blocked')
                then units.amount is not null
            else coalesce(units.amount < 0, false)
        end
)

select * from final
order by subject, detail
