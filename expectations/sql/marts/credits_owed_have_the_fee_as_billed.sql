-- Rule U4.
with

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
),

fees as (
    select distinct on (fees.contract_id) fees.*
    from raw.fees
    inner join raw.source_objects
        on fees.object_id = source_objects.object_id
    inner join audit.current_build
        on fees.service_month = current_build.service_month
    where source_objects.is_in_force
    order by
        fees.contract_id asc,
        source_objects.exported_at desc,
        convert_to(source_objects.key, 'UTF8') desc,
        fees.line_number desc
),

final as (
    select
        credits.contract_id as subject,
        concat(
            credits.basis,
            ' credit owed on a fee of ',
            coalesce(credits.monthly_fee::text, 'null'),
            ' ',
            credits.currency,
            ', billed ',
            coalesce(fees.monthly_fee::text, 'nothing'),
            ' ',
            fees.currency
        ) as detail
    from credits
    left outer join fees on credits.contract_id = fees.contract_id
    where
        credits.status = 'owed'
        and not coalesce(
            credits.monthly_fee = fees.monthly_fee
            and credits.currency = fees.currency,
            false
        )
)

select * from final
order by subject, detail
