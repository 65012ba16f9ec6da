-- Grain: one ticket that was merged into another (rule R5, chains followed).
-- The last merge of a ticket stands. Where merges run in a circle, the last
-- of them is void: its ticket survives, and `survivor_ticket_id` is itself.
with recursive

events as (
    select * from {{ ref('int_ticket_events') }}
),

merges as (
    select distinct on (events.ticket_id)
        events.ticket_id,
        events.target_ticket_id,
        events.occurred_at,
        events.event_id,
        events.object_id
    from events
    where events.event_type = 'merged_into'
    order by
        events.ticket_id,
        events.occurred_at desc,
        {{ in_byte_order('events.event_id') }} desc
),

walks as (
    select
        merges.ticket_id as merged_ticket_id,
        merges.ticket_id,
        merges.target_ticket_id,
        merges.occurred_at,
        merges.event_id,
        array[merges.ticket_id] as path
    from merges
    union all
    select
        walks.merged_ticket_id,
        merges.ticket_id,
        merges.target_ticket_id,
        merges.occurred_at,
        merges.event_id,
        walks.path || merges.ticket_id as path
    from walks
    inner join merges
        on walks.target_ticket_id = merges.ticket_id
    where merges.ticket_id <> all(walks.path)
),

ends as (
    select distinct on (walks.merged_ticket_id)
        walks.merged_ticket_id,
        walks.target_ticket_id,
        walks.target_ticket_id = any(walks.path) as is_circular,
        walks.path
    from walks
    order by
        walks.merged_ticket_id,
        cardinality(walks.path) desc
),

circles as (
    select distinct on (ends.merged_ticket_id)
        ends.merged_ticket_id,
        walks.ticket_id as survivor_ticket_id
    from ends
    inner join walks
        on ends.merged_ticket_id = walks.merged_ticket_id
    where
        ends.is_circular
        and array_position(ends.path, walks.ticket_id)
        >= array_position(ends.path, ends.target_ticket_id)
    order by
        ends.merged_ticket_id,
        walks.occurred_at desc,
        {{ in_byte_order('walks.event_id') }} desc
),

final as (
    select
        merges.ticket_id,
        coalesce(circles.survivor_ticket_id, ends.target_ticket_id)
            as survivor_ticket_id,
        coalesce(circles.survivor_ticket_id, '') <> merges.ticket_id
            as is_merged,
        merges.object_id
    from merges
    inner join ends
        on merges.ticket_id = ends.merged_ticket_id
    left outer join circles
        on merges.ticket_id = circles.merged_ticket_id
)

select * from final
