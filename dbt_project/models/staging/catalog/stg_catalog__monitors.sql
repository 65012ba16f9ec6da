with

in_force as (
    {{ latest_in_force(source('raw', 'monitors'), ['monitor_id']) }}
),

final as (
    select
        in_force.monitor_id,
        in_force.service,
        in_force.region,
        in_force.interval_seconds,
        in_force.active_from,
        in_force.active_until,
        in_force.object_id,
        in_force.object_key,
        in_force.line_number,
        in_force.exported_at,
        array(
            select distinct locations.location
            from unnest(in_force.locations) as locations (location)
        ) as locations,
        coalesce(
            in_force.stale_after_seconds, 2 * in_force.interval_seconds
        ) as stale_after_seconds,
        coalesce(in_force.confirm, 1) as confirm,
        coalesce(
            in_force.quorum_min,
            case
                when (
                    select count(distinct locations.location)
                    from unnest(in_force.locations) as locations (location)
                ) = 1 then 1
                else 2
            end
        ) as quorum_min
    from in_force
)

select * from final
