-- Rule S4, for the notices in force whose window touches the service month in
-- any contract's zone; a `cancel` has none, and gives nothing.
with

notices as (
    select distinct on (notices.notice_id) notices.*
    from raw.notices
    inner join gate.objects on notices.object_id = objects.object_id
    order by
        notices.notice_id asc,
        objects.exported_at desc,
        objects.key_bytes desc,
        notices.line_number desc
),

population as (
    select
        notices.notice_id,
        named.component_id
    from notices
    inner join gate.month_bounds
        on
            notices.sent_at < month_bounds.as_of
            and notices.window_start < month_bounds.ends_at
            and notices.window_end > month_bounds.starts_at
    cross join lateral unnest(notices.component_ids) as named (component_id)
),

final as (
    select
        population.component_id as subject,
        concat(
            'notice ',
            population.notice_id,
            ' names a component that the catalog does not map'
        ) as detail
    from population
    where not exists (
        select 1
        from gate.components
        where components.component_id = population.component_id
    )
)

select * from final
order by subject, detail
