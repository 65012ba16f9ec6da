-- Grain: one ticket that was merged into another (rule R5, chains followed).
-- The last merge of a ticket stands. Where merges run in a circle, the last
-- of them is void: its ticket survives, and `survivor_ticket_id` is itself.
with recursive

events as (
    select * from {{ ref('int_ticket_events') }}
),

last_merges as (
    select distinct on (events.ticket_id)
        events.ticket_id,
        events.target_ticket_id,
        events.occurred_at,
        events.event_id,
        events.object_id
    from events
    where events.event_type = 'merged_into'
    order by
        events.ticket_id asc,
        events.occurred_at desc,
        {{ in_byte_order('events.event_id') }} desc
),

walks as (
    select
        last_merges.ticket_id as merged_ticket_id,
        last_merges.ticket_id,
        last_merges.target_ticket_id,
        last_merges.occurred_at,
        last_merges.event_id,
        array[last_merges.ticket_id] as trail
    from last_merges
    union all
    select
        walks.merged_ticket_id,
        last_merges.ticket_id,
        last_merges.target_ticket_id,
        last_merges.occurred_at,
        last_merges.event_id,
        walks.trail || last_merges.ticket_id as trail
    from walks
    inner join last_merges
        on walks.target_ticket_id = last_merges.ticket_id
    where not last_merges.ticket_id = any(walks.trail)
),

ends as (
    select distinct on (walks.merged_ticket_id)
        walks.merged_ticket_id,
        walks.target_ticket_id,
        walks.trail,
        walks.target_ticket_id = any(walks.trail) as is_circular
    from walks
    order by
        walks.merged_ticket_id,
        cardinality(walks.trail) desc
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
        and array_position(ends.trail, walks.ticket_id)
        >= array_position(ends.trail, ends.target_ticket_id)
    order by
        ends.merged_ticket_id asc,
        walks.occurred_at desc,
        {{ in_byte_order('walks.event_id') }} desc,
        {{ in_byte_order('walks.ticket_id') }} desc
),

final as (
    select
        last_merges.ticket_id,
        last_merges.object_id,
        coalesce(circles.survivor_ticket_id, ends.target_ticket_id)
            as survivor_ticket_id,
        coalesce(circles.survivor_ticket_id, '') <> last_merges.ticket_id
            as is_merged
    from last_merges
    inner join ends
        on last_merges.ticket_id = ends.merged_ticket_id
    left outer join circles
        on last_merges.ticket_id = circles.merged_ticket_id
)

select * from final
