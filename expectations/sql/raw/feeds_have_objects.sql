with

-- Tickets come from either feed.
feeds (feed, other_feed) as (
    values
    ('catalog/monitors', null),
    ('catalog/components', null),
    ('monitoring/checks', null),
    ('status_page/statuspage', null),
    ('notices', null),
    ('exclusions', null),
    ('tickets/events', 'tickets/zendesk'),
    ('accounts/accounts', null),
    ('accounts/contracts', null),
    ('accounts/fees', null),
    ('claims', null)
),

final as (
    select
        feeds.feed as subject,
        'the feed has no object' as detail
    from feeds
    left outer join raw.source_objects
        on
            source_objects.feed in (feeds.feed, feeds.other_feed)
            and source_objects.is_in_force
    where source_objects.object_id is null
)

select * from final
order by subject
