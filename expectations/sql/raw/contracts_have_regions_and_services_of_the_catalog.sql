with

contracts as (
    select distinct on (contracts.contract_id) contracts.*
    from raw.contracts
    inner join raw.source_objects
        on contracts.object_id = source_objects.object_id
    where source_objects.is_in_force
    order by
        contracts.contract_id asc,
        source_objects.exported_at desc,
        convert_to(source_objects.key, 'UTF8') desc,
        contracts.line_number desc
),

zones as (
    select distinct
        terms_versions.terms_id,
        terms_versions.time_zone
    from raw.terms_versions
),

active_contracts as (
    select contracts.*
    from contracts
    cross join audit.current_build
    left outer join zones on contracts.terms_id = zones.terms_id
    where
        contracts.starts_at < least(
            raw.start_of_day(
                (current_build.service_month + interval '1 month')::date,
                coalesce(zones.time_zone, 'UTC')
            ),
            current_build.as_of
        )
        and coalesce(contracts.ends_at, 'infinity')
        > raw.start_of_day(
            current_build.service_month,
            coalesce(zones.time_zone, 'UTC')
        )
),

catalog as (
    select
        monitors.service,
        monitors.region
    from raw.monitors
    inner join raw.source_objects
        on monitors.object_id = source_objects.object_id
    where source_objects.is_in_force
    union
    select
        components.service,
        components.region
    from raw.components
    inner join raw.source_objects
        on components.object_id = source_objects.object_id
    where source_objects.is_in_force
),

unknown_names as (
    select
        active_contracts.contract_id,
        concat('region ', active_contracts.region) as unknown_name
    from active_contracts
    where
        not exists (
            select 1
            from catalog
            where catalog.region = active_contracts.region
        )
    union
    select
        active_contracts.contract_id,
        concat('service ', subscribed.service) as unknown_name
    from active_contracts
    cross join
        lateral unnest(active_contracts.services)
            as subscribed (service)
    where not exists (
        select 1
        from catalog
        where catalog.service = subscribed.service
    )
),

final as (
    select
        unknown_names.contract_id as subject,
        concat(unknown_names.unknown_name, ' is not in the catalog') as detail
    from unknown_names
)

select * from final
order by subject, detail
