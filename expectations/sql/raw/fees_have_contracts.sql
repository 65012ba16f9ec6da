with

contract_ids as (
    select distinct contracts.contract_id
    from raw.contracts
    inner join raw.source_objects
        on contracts.object_id = source_objects.object_id
    where source_objects.is_in_force
),

final as (
    select distinct
        fees.contract_id as subject,
        'it has a fee for the month, and no contract' as detail
    from raw.fees
    inner join raw.source_objects
        on fees.object_id = source_objects.object_id
    inner join audit.current_build
        on fees.service_month = current_build.service_month
    where
        source_objects.is_in_force
        and not exists (
            select 1
            from contract_ids
            where contract_ids.contract_id = fees.contract_id
        )
)

select * from final
order by subject
