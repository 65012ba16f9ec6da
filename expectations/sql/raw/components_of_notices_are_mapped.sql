-- Rule S4, for the notices in force whose window touches the service month in
-- any contract's zone; a `cancel` has none, and gives nothing.
with

components as (
    select distinct components.component_id
    from raw.components
    inner join raw.source_objects
        on components.object_id = source_objects.object_id
    where source_objects.is_in_force
),

-- No zone is further from UTC than 14 hours.
month_bounds as (
    select
        current_build.as_of,
        current_build.service_month::timestamp at time zone 'UTC'
        - interval '14 hours' as starts_at,
        (current_build.service_month + interval '1 month') at time zone 'UTC'
        + interval '14 hours' as ends_at
    from audit.current_build
),

notices as (
    select distinct on (notices.notice_id) notices.*
    from raw.notices
    inner join raw.source_objects
        on notices.object_id = source_objects.object_id
    where source_objects.is_in_force
    order by
        notices.notice_id asc,
        source_objects.exported_at desc,
        convert_to(source_objects.key, 'UTF8') desc,
        notices.line_number desc
),

final as (
    select
        named.component_id as subject,
        concat(
            'notice ',
            notices.notice_id,
            ' names a component that the catalog does not map'
        ) as detail
    from notices
    inner join month_bounds
        on
            notices.sent_at < month_bounds.as_of
            and notices.window_start < month_bounds.ends_at
            and notices.window_end > month_bounds.starts_at
    cross join lateral unnest(notices.component_ids) as named (component_id)
    where not exists (
        select 1
        from components
        where components.component_id = named.component_id
    )
)

select * from final
order by subject, detail
